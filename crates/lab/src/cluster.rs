//! How is a lab put together?

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{self, Access, NAMESPACES, NODES, PODS, Resource, Selector, Store};
use crate::azure::pki::Authority;
use crate::home::Home;
use crate::kubelet::{Kubelet, NodeSite, Surroundings};
use crate::net::{Fabric, METADATA, NodeStyle};
use crate::{Mode, Settings, scenario};

mod access;
mod files;
pub(crate) mod objects;
mod world;

pub(crate) use world::World;

/// Address of ARM, Entra, Key Vault and the Kubernetes API, as nodes and pods see it.
const DATA_CENTRE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Port of the Kubernetes API there.
const API_PORT: u16 = 6443;
/// Longest time until the node agents must be ready.
const START_LIMIT: Duration = Duration::from_secs(30);

const CRDS: [&str; 4] = [
    include_str!("../../../deploy/crds/azureassignedidentity.yaml"),
    include_str!("../../../deploy/crds/azureidentity.yaml"),
    include_str!("../../../deploy/crds/azureidentitybinding.yaml"),
    include_str!("../../../deploy/crds/azurepodidentityexception.yaml"),
];

/// A lab that runs.
pub(crate) struct Cluster {
    /// Which mode podid runs in.
    pub mode: Mode,
    /// The simulated Azure.
    pub world: World,
    /// The Kubernetes objects.
    pub store: Store,
    /// What runs the pods.
    pub kubelet: Kubelet,
}

// === impl Cluster ===

impl Cluster {
    /// Builds network, Azure and Kubernetes, and installs podid.
    pub(crate) async fn start(
        settings: &Settings,
        home: &Home,
        outside: TcpListener,
        services: &CancellationToken,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        crate::net::probe().context(crate::enter::LATE_DENIAL)?;
        let world = World::build(settings.mode, settings.scenario.clone())?;
        let fabric = Fabric::build(&[DATA_CENTRE])?;
        let sites = sites(&fabric)?;

        let authority = Authority::new("podid lab")?;
        let ca = authority.ca_pem().to_owned();
        let crds = CRDS.iter().map(|text| serde_saphyr::from_str(text)).collect::<Result<_, _>>()?;
        let store = Store::new(api::Settings { crds, root_ca: ca.clone(), history: 10_000 })?;

        let token = access::random_token()?;
        let outside_address = outside.local_addr()?;
        let inside_address = SocketAddr::from((DATA_CENTRE, API_PORT));
        home.write("ca.pem", ca.as_bytes())?;
        home.write("hosts", files::hosts(&world).as_bytes())?;
        let kubeconfig =
            home.write("kubeconfig", access::kubeconfig(outside_address, &ca, &token, "default").as_bytes())?;
        let of_pods = home.write(
            "kubeconfig-inside",
            access::kubeconfig(inside_address, &ca, &token, "default").as_bytes(),
        )?;
        // As on a node of AKS with Azure CNI; NMI refuses to start where it says kubenet.
        let kubelet_config = home.write("kubelet", b"KUBELET_FLAGS=--network-plugin=cni\n")?;
        let cloudconfig = home.write("azure.json", files::azure_json(&world).as_bytes())?;
        home.write("env", files::environment(&world, &kubeconfig.display().to_string()).as_bytes())?;
        std::os::unix::fs::symlink(std::env::current_exe()?, home.file("bin/podid"))?;

        let surroundings = Surroundings { hosts: home.file("hosts"), environment: files::surroundings(home) };
        let kubelet = Kubelet::new(store.clone(), home.clone(), surroundings, sites);

        let certificate = authority.issue(&[
            "127.0.0.1",
            "localhost",
            &DATA_CENTRE.to_string(),
            "kubernetes.default.svc",
        ])?;
        let access = Access::new(Arc::new(certificate.server_config()?), &token);
        outside.set_nonblocking(true)?;
        for listener in [tokio::net::TcpListener::from_std(outside)?, listen(inside_address).await?] {
            let logs = Arc::new(kubelet.clone());
            tasks.spawn(api::serve(store.clone(), logs, access.clone(), listener, services.clone()));
        }
        let imds = listen((METADATA, 80).into()).await?;
        let https = listen((DATA_CENTRE, 443).into()).await?;
        let (azure, ended) = (world.azure.clone(), services.clone());
        tasks.spawn(async move { azure.serve_imds(imds, ended).await });
        let (azure, ended) = (world.azure.clone(), services.clone());
        tasks.spawn(async move {
            if let Err(error) = azure.serve_tls(https, &authority, ended).await {
                tracing::error!(%error, "the simulated Azure cannot serve TLS");
            }
        });

        let cluster = Self { mode: settings.mode, world, store, kubelet };
        let files = objects::Files {
            kubeconfig: of_pods.display().to_string(),
            cloudconfig: cloudconfig.display().to_string(),
            kubelet_config: kubelet_config.display().to_string(),
        };
        cluster.install(&files)?;
        let (kubelet, ended) = (cluster.kubelet.clone(), services.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = kubelet.run() => {}
                () = ended.cancelled() => {}
            }
        });
        Ok(cluster)
    }

    /// Adds an object that the lab itself needs.
    pub(crate) fn create(&self, resource: &Resource, object: serde_json::Value) -> anyhow::Result<()> {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let created = self.store.create(resource, &namespace, object);
        created.map(drop).map_err(|status| anyhow::anyhow!(status.message))
    }

    /// Number of assignments.
    pub(crate) fn records(&self) -> usize {
        self.count(&Resource::new("aadpodidentity.k8s.io", "azureassignedidentities"), "")
    }

    /// Number of pods in a namespace.
    pub(crate) fn pods(&self, namespace: &str) -> usize {
        self.count(&PODS, namespace)
    }

    fn count(&self, resource: &Resource, namespace: &str) -> usize {
        self.store.list(resource, namespace, &Selector::default()).map_or(0, |list| list.items.len())
    }

    fn install(&self, files: &objects::Files) -> anyhow::Result<()> {
        for (site, host) in self.kubelet.sites().iter().zip(&self.world.hosts) {
            self.create(&NODES, objects::node(site, &host.provider_id()))?;
        }
        self.create(&NAMESPACES, json!({"metadata": {"name": scenario::APP_NAMESPACE}}))?;
        let exceptions = Resource::new("aadpodidentity.k8s.io", "azurepodidentityexceptions");
        self.create(
            &exceptions,
            objects::exception(scenario::SYSTEM_NAMESPACE, "mic", ("component", "mic")),
        )?;
        for node in scenario::NODES {
            self.create(&PODS, objects::nmi(node, self.mode, files))?;
        }
        if self.mode == Mode::Standard {
            self.create(&PODS, objects::mic(files))?;
        }
        Ok(())
    }

    /// Waits until every node agent says that it is ready.
    pub(crate) async fn agents_ready(&self) -> anyhow::Result<()> {
        let all = async {
            for site in self.kubelet.sites() {
                while !is_ready(SocketAddr::from((site.node.address(), 8085))).await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        tokio::time::timeout(START_LIMIT, all).await.map_err(|_| {
            anyhow::anyhow!(
                "the node agents were not ready after {} s; {}",
                START_LIMIT.as_secs(),
                self.last_words()
            )
        })
    }

    /// What the node agents printed last, to say why they do not start.
    fn last_words(&self) -> String {
        let lines = self.kubelet.last_lines(scenario::SYSTEM_NAMESPACE, 3);
        if lines.is_empty() {
            "they printed nothing".to_owned()
        } else {
            format!("they printed:\n{}", lines.join("\n"))
        }
    }
}

fn sites(fabric: &Fabric) -> anyhow::Result<Vec<NodeSite>> {
    let styles = [NodeStyle::Routed, NodeStyle::Bridged];
    (1..)
        .zip(scenario::NODES.iter().zip(styles))
        .map(|(number, (name, style))| {
            let labels = BTreeMap::from([
                ("kubernetes.io/os".to_owned(), "linux".to_owned()),
                ("kubernetes.io/hostname".to_owned(), (*name).to_owned()),
                ("podid.dev/lab".to_owned(), "true".to_owned()),
            ]);
            Ok(NodeSite { name: (*name).to_owned(), number, node: fabric.add_node(number, style)?, labels })
        })
        .collect()
}

async fn listen(address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} inside the lab"))
}

/// Whether `/readyz` at `address` answers 200.
async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), ask).await, Ok(Ok(true)))
}
