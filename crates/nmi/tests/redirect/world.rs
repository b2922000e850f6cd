//! A node with a bridged and a routed pod, and a metadata service behind it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures::TryStreamExt;
use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags};
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecUnspec, InetDevConf, InfoData, InfoKind, InfoVeth, LinkAttribute,
};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};
use socket2::{Domain, Socket, Type};

pub(crate) const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
pub(crate) const WIRESERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 240, 0, 1);
pub(crate) const LISTENER: SocketAddrV4 = SocketAddrV4::new(NODE, 2579);
pub(crate) const ROUTED: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 2);
pub(crate) const BRIDGED: Ipv4Addr = Ipv4Addr::new(10, 244, 2, 2);
pub(crate) const BESIDE: Ipv4Addr = Ipv4Addr::new(10, 244, 2, 3);
pub(crate) const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 244, 2, 1);
pub(crate) const NODE_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);
pub(crate) const ROUTED_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);
const NEXT_HOP: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// How long a connection that should succeed may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection that should be dropped is waited for.
const DROPPED_AFTER: Duration = Duration::from_millis(300);

/// A network namespace.
#[derive(Clone)]
pub(crate) struct Namespace(Arc<File>);

/// Everything that a case needs. The metadata service answers "imds" and counts; WireServer is beside it.
pub(crate) struct World {
    pub(crate) node: Namespace,
    pub(crate) routed: Namespace,
    pub(crate) bridged: Namespace,
    pub(crate) metadata_calls: Arc<AtomicUsize>,
}

// === impl Namespace ===

impl Namespace {
    fn new() -> Self {
        let file = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        Self(Arc::new(file.join().expect("thread").expect("network namespace")))
    }

    /// Runs `work` on a thread inside the namespace.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&*self.0, CloneFlags::CLONE_NEWNET).expect("enter");
                work()
            });
            inside.join().expect("thread inside the namespace")
        })
    }

    pub(crate) fn configure(&self, work: impl AsyncFnOnce(&Handle) + Send) {
        self.run(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection().expect("netlink");
                tokio::spawn(connection);
                work(&handle).await;
            });
        });
    }

    /// Serves `text` and the caller's address to everybody until the end of the process.
    pub(crate) fn serve(&self, address: impl Into<SocketAddr>, text: &'static str) -> Arc<AtomicUsize> {
        let address = address.into();
        let listener = self.run(|| TcpListener::bind(address)).expect("listener");
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || answer(stream, text));
            }
        });
        calls
    }

    /// What a caller in this namespace hears at `address`; nothing if it cannot connect.
    pub(crate) fn call(&self, address: SocketAddrV4) -> Option<String> {
        let mut stream = self.connect(address).ok()?;
        ask(&mut stream).ok()
    }

    /// The same at an address of either kind.
    pub(crate) fn call_any(&self, address: SocketAddr) -> Option<String> {
        let mut stream = self.run(|| TcpStream::connect_timeout(&address, PATIENCE)).ok()?;
        ask(&mut stream).ok()
    }

    /// What a caller in this namespace hears at `address` if it calls from `own`, which it has or not.
    pub(crate) fn call_from(&self, own: Ipv4Addr, address: SocketAddrV4) -> Option<String> {
        let stream = self.run(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((own, 0)).into())?;
            socket.connect_timeout(&address.into(), PATIENCE)?;
            io::Result::Ok(TcpStream::from(socket))
        });
        ask(&mut stream.ok()?).ok()
    }

    /// Gives the namespace a further address.
    pub(crate) fn take_address(&self, address: Ipv4Addr) {
        self.configure(async |links| {
            let link = index(links, "eth0").await;
            links.address().add(link, IpAddr::V4(address), 32).execute().await.expect("address");
        });
    }

    /// Gives it up again.
    pub(crate) fn leave_address(&self, address: Ipv4Addr) {
        self.configure(async |links| {
            let mut all = links.address().get().execute();
            while let Some(known) = all.try_next().await.expect("addresses") {
                if known.attributes.contains(&AddressAttribute::Local(IpAddr::V4(address))) {
                    links.address().del(known).execute().await.expect("address removed");
                }
            }
        });
    }

    /// Takes on another hardware address.
    pub(crate) fn take_hardware(&self, hardware: Vec<u8>) {
        self.configure(async |links| {
            let link = index(links, "eth0").await;
            let message = LinkUnspec::new_with_index(link).address(hardware).build();
            links.link().set(message).execute().await.expect("hardware address");
        });
    }

    pub(crate) fn connect(&self, address: SocketAddrV4) -> io::Result<TcpStream> {
        self.run(|| TcpStream::connect_timeout(&address.into(), PATIENCE))
    }

    /// Whether connection attempts to `address` meet silence.
    pub(crate) fn meets_silence(&self, address: SocketAddrV4) -> bool {
        let outcome = self.run(|| TcpStream::connect_timeout(&address.into(), DROPPED_AFTER));
        outcome.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }
}

/// Answers each line with the text and the caller's address, as long as the caller likes.
fn answer(stream: io::Result<TcpStream>, text: &str) -> io::Result<()> {
    let mut stream = stream?;
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 {
        let peer = stream.peer_addr()?.ip();
        stream.write_all(format!("{text} {peer}\n").as_bytes())?;
    }
    Ok(())
}

/// Asks once over an open connection.
pub(crate) fn ask(stream: &mut TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"?")?;
    let mut heard = vec![];
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
        heard.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&heard).trim_end().to_owned())
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        let (node, routed, bridged, azure) =
            (Namespace::new(), Namespace::new(), Namespace::new(), Namespace::new());
        node.configure(async |links| {
            up(links, "lo", None).await;
            pair(links, "uplink", &azure).await;
            up(links, "uplink", Some(NODE)).await;
            pair(links, "routed", &routed).await;
            let link = up(links, "routed", None).await;
            direct(links, ROUTED, 32, link).await;
            links.link().add(LinkBridge::new("cbr0").build()).execute().await.expect("bridge");
            let bridge = up(links, "cbr0", Some(BRIDGE)).await;
            direct(links, BRIDGED, 32, bridge).await;
            plug(links, "bridged", &bridged).await;
        });
        azure.configure(async |links| {
            let lo = up(links, "lo", Some(*METADATA.ip())).await;
            links.address().add(lo, IpAddr::V4(WIRESERVER), 32).execute().await.expect("address");
            let link = up(links, "eth0", None).await;
            direct(links, NODE, 32, link).await;
            via(links, Ipv4Addr::new(10, 244, 0, 0), 16, NODE, link).await;
        });
        // Written down, because hosts may be set not to answer for an address of their loopback device.
        let mac = hardware_address(&azure, "eth0");
        node.configure(async |links| default_route(links, "uplink", *METADATA.ip(), &mac).await);
        // The routed pod's loopback stays down: it is the pod that tries to reach the node's.
        let mac = hardware_address(&node, "routed");
        routed.configure(async |links| {
            up(links, "eth0", Some(ROUTED)).await;
            default_route(links, "eth0", NEXT_HOP, &mac).await;
        });
        settle_behind_bridge(&bridged, BRIDGED);
        let metadata_calls = azure.serve(METADATA, "imds");
        for port in [53, 80, 32526] {
            azure.serve(SocketAddrV4::new(WIRESERVER, port), "wireserver");
        }
        Self { node, routed, bridged, metadata_calls }
    }

    /// Ends the bridged pod and gives its address to another one.
    pub(crate) fn reuse_bridged_address(&self) -> Namespace {
        let successor = Namespace::new();
        self.node.configure(async |links| {
            remove(links, "bridged").await;
            plug(links, "successor", &successor).await;
        });
        settle_behind_bridge(&successor, BRIDGED);
        successor
    }

    /// Adds a second pod behind the bridge.
    pub(crate) fn beside(&self) -> Namespace {
        let beside = Namespace::new();
        self.node.configure(async |links| {
            direct(links, BESIDE, 32, index(links, "cbr0").await).await;
            plug(links, "beside", &beside).await;
        });
        settle_behind_bridge(&beside, BESIDE);
        beside
    }

    /// Writes down where packets for the bridged pod go, as an answer to the node's question would.
    pub(crate) fn redirect_bridged_to(&self, hardware: &[u8]) {
        self.node.configure(async |links| {
            let bridge = index(links, "cbr0").await;
            let neighbour = links.neighbours().add(bridge, IpAddr::V4(BRIDGED)).link_layer_address(hardware);
            neighbour.replace().execute().await.expect("neighbour");
        });
    }

    /// Gives both ends of the routed pod's link an IPv6 address.
    pub(crate) fn give_routed_pod_ipv6(&self) {
        self.node.configure(async |links| ipv6(links, "routed", NODE_IPV6).await);
        self.routed.configure(async |links| ipv6(links, "eth0", ROUTED_IPV6).await);
    }

    /// Writes down that there is a neighbour with this address.
    pub(crate) fn mark(&self, address: Ipv4Addr) {
        self.node.configure(async |links| {
            let link = index(links, "uplink").await;
            let neighbour = links.neighbours().add(link, IpAddr::V4(address)).link_layer_address(&[2; 6]);
            neighbour.execute().await.expect("neighbour");
        });
    }

    /// Writes down where packets for an IPv6 address of the routed pod go.
    pub(crate) fn learn_ipv6(&self, address: Ipv6Addr, hardware: &[u8]) {
        self.node.configure(async |links| {
            let link = index(links, "routed").await;
            let neighbour = links.neighbours().add(link, IpAddr::V6(address)).link_layer_address(hardware);
            neighbour.replace().execute().await.expect("neighbour");
        });
    }

    /// The number of a link of the node.
    pub(crate) fn port(&self, name: &str) -> u32 {
        let mut number = 0;
        self.node.configure(async |links| number = index(links, name).await);
        number
    }

    /// Takes the routed pod's link away.
    pub(crate) fn unplug_routed(&self) {
        self.node.configure(async |links| remove(links, "routed").await);
    }

    /// Starts NMI's part of the conversation.
    pub(crate) fn listen(&self, address: SocketAddrV4) {
        self.node.serve(address, "nmi");
    }

    pub(crate) fn metadata_calls(&self) -> usize {
        self.metadata_calls.load(Ordering::SeqCst)
    }

    /// What both pods hear at the metadata address.
    pub(crate) fn heard_by_pods(&self) -> [Option<String>; 2] {
        [self.routed.call(METADATA), self.bridged.call(METADATA)]
    }

    pub(crate) fn pods_meet_silence(&self) -> bool {
        self.routed.meets_silence(METADATA) && self.bridged.meets_silence(METADATA)
    }
}

/// What pods hear while the redirect works.
pub(crate) fn nmi_heard() -> [Option<String>; 2] {
    [Some(format!("nmi {ROUTED}")), Some(format!("nmi {BRIDGED}"))]
}

/// Lets a link carry packets to and from 127.0.0.0/8.
pub(crate) async fn route_localnet(links: &Handle, name: &str) {
    let mut wanted = InetDevConf::default();
    wanted.route_localnet = 1;
    configure_ipv4(links, index(links, name).await, wanted).await;
}

/// A route for the loopback network through a link, as a hostile pod would add it.
pub(crate) async fn loopback_route(links: &Handle, name: &str) {
    let link = index(links, name).await;
    via(links, Ipv4Addr::LOCALHOST, 32, NEXT_HOP, link).await;
}

async fn index(links: &Handle, name: &str) -> u32 {
    let found = links.link().get().match_name(name).execute().try_next().await;
    found.expect("link").expect("link").header.index
}

pub(crate) fn hardware_address(namespace: &Namespace, name: &str) -> Vec<u8> {
    let mut address = vec![];
    namespace.configure(async |links| {
        let found = links.link().get().match_name(name).execute().try_next().await;
        address = found
            .expect("link")
            .expect("link")
            .attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(address) => Some(address),
                _ => None,
            })
            .expect("hardware address");
    });
    address
}

/// Switches a link on, lets it forward, gives it an address, and returns its index.
async fn up(links: &Handle, name: &str, address: Option<Ipv4Addr>) -> u32 {
    let link = index(links, name).await;
    links.link().set(LinkUnspec::new_with_index(link).up().build()).execute().await.expect("up");
    let mut wanted = InetDevConf::default();
    wanted.forwarding = 1;
    configure_ipv4(links, link, wanted).await;
    if let Some(address) = address {
        links.address().add(link, IpAddr::V4(address), 32).execute().await.expect("address");
    }
    link
}

/// Adds an address that can be used at once: nobody else is asked whether he has it.
async fn ipv6(links: &Handle, name: &str, address: Ipv6Addr) {
    let mut request = links.address().add(index(links, name).await, IpAddr::V6(address), 64);
    request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
    request.execute().await.expect("address");
}

async fn configure_ipv4(links: &Handle, link: u32, wanted: InetDevConf) {
    let wanted = AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(wanted)]);
    let message = LinkUnspec::new_with_index(link)
        .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![wanted]))
        .build();
    links.link().set(message).execute().await.expect("IPv4 settings");
}

/// A veth pair, the other end of which is `eth0` in `other`.
async fn pair(links: &Handle, name: &str, other: &Namespace) {
    let far = LinkUnspec::new_with_name("eth0").setns_by_fd(other.0.as_raw_fd()).build();
    let message = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
        .name(name)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
        .build();
    links.link().add(message).execute().await.expect("veth pair");
}

/// A veth pair that ends in the bridge.
async fn plug(links: &Handle, name: &str, pod: &Namespace) {
    pair(links, name, pod).await;
    let (port, bridge) = (up(links, name, None).await, index(links, "cbr0").await);
    let plug = LinkUnspec::new_with_index(port).controller(bridge).build();
    links.link().set(plug).execute().await.expect("port");
}

async fn remove(links: &Handle, name: &str) {
    let link = index(links, name).await;
    links.link().del(link).execute().await.expect("link removed");
}

/// The bridged pod's own side.
fn settle_behind_bridge(pod: &Namespace, address: Ipv4Addr) {
    pod.configure(async |links| {
        up(links, "lo", None).await;
        let link = up(links, "eth0", Some(address)).await;
        via(links, Ipv4Addr::UNSPECIFIED, 0, BRIDGE, link).await;
    });
}

/// Everything goes to a next hop whose hardware address is known.
async fn default_route(links: &Handle, name: &str, next_hop: Ipv4Addr, mac: &[u8]) {
    let link = index(links, name).await;
    let neighbour = links.neighbours().add(link, IpAddr::V4(next_hop)).link_layer_address(mac);
    neighbour.execute().await.expect("neighbour");
    via(links, Ipv4Addr::UNSPECIFIED, 0, next_hop, link).await;
}

async fn direct(links: &Handle, to: Ipv4Addr, prefix: u8, link: u32) {
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(to, prefix)
        .output_interface(link)
        .scope(RouteScope::Link);
    links.route().add(route.build()).execute().await.expect("route");
}

async fn via(links: &Handle, to: Ipv4Addr, prefix: u8, gateway: Ipv4Addr, link: u32) {
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(to, prefix)
        .gateway(gateway)
        .output_interface(link)
        .onlink();
    links.route().add(route.build()).execute().await.expect("route");
}
