//! Which nodes and pods are there, and who talks to whom?
//!
//! This process is the data centre, with Kubernetes and IMDS. Each node is a namespace with one link to it, and all
//! pods of a node share another namespace, in which every address of the pods' network is at home.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::{env, fs};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};
use podid_lab::net::{Fabric, METADATA, Namespace, Node, NodeStyle, pod_address};
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

use crate::ask::Connection;
use crate::cluster::Cluster;
use crate::imds::Imds;

/// The kernel's table of addresses that are at home.
const LOCAL: u32 = 255;

/// Everything that measures need.
pub(crate) struct Stage {
    /// Runs Kubernetes, IMDS and nothing else.
    _runtime: Runtime,
    pub(crate) cluster: Cluster,
    pub(crate) imds: Imds,
    pub(crate) places: [Place; 3],
    _fabric: Fabric,
}

/// A node and its pods.
pub(crate) struct Place {
    pub(crate) number: u8,
    pub(crate) node: Node,
    crowd: Namespace,
}

// === impl Stage ===

impl Stage {
    /// Builds it all around this process, which must have one thread.
    pub(crate) fn build() -> Self {
        enter();
        let fabric = Fabric::build(&[]).unwrap();
        let places = [1, 2, 3].map(|number| Place::add(&fabric, number));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let imds = Imds::start(&runtime);
        let cluster = Cluster::start(&runtime);
        for place in &places {
            cluster.fill_node(place);
        }
        Self { _runtime: runtime, cluster, imds, places, _fabric: fabric }
    }
}

/// Leaves the host's network, as root or as root of a user namespace.
fn enter() {
    if geteuid().is_root() {
        return unshare(CloneFlags::CLONE_NEWNET).unwrap();
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).unwrap();
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", format!("0 {user} 1")).unwrap();
    fs::write("/proc/self/gid_map", format!("0 {group} 1")).unwrap();
}

// === impl Place ===

impl Place {
    fn add(fabric: &Fabric, number: u8) -> Self {
        let node = fabric.add_node(number, NodeStyle::Routed).unwrap();
        let door = pod_address(number, 2);
        let crowd = node.add_pod(door).unwrap();
        let link = format!("veth{:08x}", door.to_bits());
        let network = Ipv4Addr::new(10, 100 + number, 0, 0);
        let to_the_crowd = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(network, 16);
        route(node.namespace(), &link, to_the_crowd.gateway(door).onlink());
        let at_home = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(network, 16);
        route(&crowd, "lo", at_home.kind(RouteType::Local).table_id(LOCAL).scope(RouteScope::Host));
        Self { number, node, crowd }
    }

    pub(crate) fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    /// The address of a pod of this node.
    pub(crate) fn address(&self, pod: usize) -> Ipv4Addr {
        let [high, low] = u16::try_from(pod + 1).unwrap().to_be_bytes();
        Ipv4Addr::new(10, 100 + self.number, high, low)
    }

    /// A connection of a pod to the metadata address.
    pub(crate) async fn connect(&self, pod: usize) -> Connection {
        let socket = self.crowd.run(TcpSocket::new_v4).unwrap().unwrap();
        socket.bind((IpAddr::V4(self.address(pod)), 0).into()).unwrap();
        Connection::new(socket.connect(SocketAddr::from((METADATA, 80))).await.unwrap())
    }
}

fn route(namespace: &Namespace, link: &str, route: RouteMessageBuilder<Ipv4Addr>) {
    namespace
        .run(|| {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let (connection, links, _) = rtnetlink::new_connection().unwrap();
                tokio::spawn(connection);
                let found = links.link().get().match_name(link).execute();
                let index = futures::TryStreamExt::try_next(&mut Box::pin(found)).await.unwrap().unwrap();
                let route = route.output_interface(index.header.index).build();
                links.route().add(route).execute().await.unwrap();
            });
        })
        .unwrap();
}

/// The binary to measure.
pub(crate) fn binary() -> std::path::PathBuf {
    if let Some(path) = env::var_os("PODID_BINARY") {
        return path.into();
    }
    // Benches lie in a folder below that of the binaries.
    let path = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("podid");
    assert!(path.exists(), "{} is missing: build podid in this profile, or set PODID_BINARY", path.display());
    path
}
