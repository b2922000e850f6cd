//! How is a lab put together?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::task::TaskTracker;

use crate::client::{ASSIGNMENTS, Client, Failure, Kind, PODS, SERVICE_ACCOUNTS};
use crate::home::Home;
use crate::kubelet::{Kubelet, Logs, Means, Surroundings};
use crate::{Mode, Settings, scenario};

mod access;
mod control;
mod files;
mod ground;
pub(crate) mod objects;
mod world;

use control::Guest;
pub(crate) use ground::{Api, Ground};
pub(crate) use world::World;

/// Longest time until the node agents must be ready.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time until a controller of the cluster has given a new namespace its service account.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(5);
/// Pause between looks.
const LOOK: Duration = Duration::from_millis(20);

/// A lab that runs.
pub(crate) struct Cluster {
    /// Which mode podid runs in.
    pub mode: Mode,
    /// The simulated Azure.
    pub world: Arc<World>,
    /// The way to the Kubernetes API.
    pub client: Client,
    /// The kubeconfig that people use.
    pub kubeconfig: PathBuf,
    /// The URL of the API server, if it was given.
    pub given: Option<String>,
    /// What runs the pods.
    pub kubelet: Kubelet,
    /// What they print.
    logs: Logs,
}

// === impl Cluster ===

impl Cluster {
    /// Installs podid on the ground that was prepared, and runs the pods.
    pub(crate) async fn start(
        settings: &Settings,
        home: &Home,
        ground: &Ground,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let (control, world) = (&ground.control, &ground.world);
        home.write(
            "env",
            files::environment(world, home, &control.for_people.display().to_string()).as_bytes(),
        )?;
        let kubelet = Kubelet::new(Means {
            client: control.client.clone(),
            logs: ground.logs.clone(),
            home: home.clone(),
            surroundings: Surroundings { hosts: home.file("hosts"), environment: files::surroundings(home) },
            sites: ground.sites.clone(),
            alone: ground.guest.is_none(),
        });
        let cluster = Self {
            mode: settings.mode,
            world: world.clone(),
            client: control.client.clone(),
            kubeconfig: control.for_people.clone(),
            given: ground.guest.as_ref().map(Guest::server),
            kubelet,
            logs: ground.logs.clone(),
        };
        let cloudconfig = home.write("azure.json", files::azure_json(world).as_bytes())?;
        // As on a node of AKS with Azure CNI; NMI refuses to start where it says kubenet.
        let kubelet_config = home.write("kubelet", b"KUBELET_FLAGS=--network-plugin=cni\n")?;
        let files = objects::Files {
            for_mic: control.for_mic.display().to_string(),
            for_nmi: control.for_nmi.display().to_string(),
            cloudconfig: cloudconfig.display().to_string(),
            kubelet_config: kubelet_config.display().to_string(),
        };
        cluster.install(&files).await.context("cannot install podid in the cluster")?;
        tasks.spawn(cluster.kubelet.clone().run());
        Ok(cluster)
    }

    /// Number of assignments.
    pub(crate) async fn records(&self) -> Result<usize, Failure> {
        self.count(ASSIGNMENTS, "").await
    }

    /// Number of pods in a namespace.
    pub(crate) async fn pods(&self, namespace: &str) -> Result<usize, Failure> {
        self.count(PODS, namespace).await
    }

    async fn count(&self, kind: Kind, namespace: &str) -> Result<usize, Failure> {
        Ok(self.client.list(kind, namespace, "").await?.items.len())
    }

    async fn install(&self, files: &objects::Files) -> anyhow::Result<()> {
        let machines = self.kubelet.sites().iter().zip(&self.world.hosts);
        let mut all: Vec<Value> =
            machines.map(|(site, host)| objects::node(site, &host.provider_id())).collect();
        all.push(objects::namespace(scenario::APP_NAMESPACE));
        all.push(objects::exception(scenario::SYSTEM_NAMESPACE, "mic", ("component", "mic")));
        all.extend(scenario::NODES.iter().map(|node| objects::nmi(node, self.mode, files)));
        if self.mode == Mode::Standard {
            all.push(objects::mic(files));
        }
        for object in all {
            self.client.create(&objects::labelled(object)).await?;
        }
        Ok(self.account(scenario::APP_NAMESPACE).await?)
    }

    /// Waits for the namespace's default service account, without which it takes no pods.
    async fn account(&self, namespace: &str) -> Result<(), Failure> {
        let begun = Instant::now();
        while let Err(Failure::Absent(_)) = self.client.get(SERVICE_ACCOUNTS, namespace, "default").await {
            if begun.elapsed() > ACCOUNT_LIMIT {
                // A control plane without its controllers; somebody has to.
                let account = json!({"name": "default", "namespace": namespace});
                let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account});
                return match self.client.create(&account).await {
                    // The controller was only slow.
                    Ok(_) | Err(Failure::Taken(_)) => Ok(()),
                    Err(failure) => Err(failure),
                };
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until every node agent says that it is ready.
    pub(crate) async fn agents_ready(&self) -> anyhow::Result<()> {
        let all = async {
            for site in self.kubelet.sites() {
                while !is_ready(SocketAddr::from((site.node.address(), 8085))).await {
                    tokio::time::sleep(LOOK).await;
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
        let lines = self.logs.last_lines(scenario::SYSTEM_NAMESPACE, 3);
        if lines.is_empty() {
            "they printed nothing".to_owned()
        } else {
            format!("they printed:\n{}", lines.join("\n"))
        }
    }
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
