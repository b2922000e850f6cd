//! What does a lab's cluster stand on? A network, the simulated Azure, and an API server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control::{Control, Guest, embedded, guest};
use super::{World, files};
use crate::azure::Service;
use crate::azure::pki::Authority;
use crate::doors::Doors;
use crate::given::Given;
use crate::home::Home;
use crate::kubelet::{Logs, NodeSite};
use crate::net::{Fabric, METADATA, NodeStyle};
use crate::{Settings, scenario};

/// Address of ARM, Entra, Key Vault and the Kubernetes API, as nodes and pods see it.
pub(super) const DATA_CENTRE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Port of the Kubernetes API there.
const API_PORT: u16 = 6443;

/// Which API server the lab shall have.
pub(crate) enum Api {
    /// The embedded one, which people reach through this listener on the host.
    Embedded(TcpListener),
    /// That of a given cluster.
    Given(Box<Given>),
}

/// Everything that must be there before a cluster can be.
pub(crate) struct Ground {
    /// The simulated Azure.
    pub(super) world: Arc<World>,
    /// The nodes' networks.
    pub(super) sites: Vec<NodeSite>,
    /// Where the kubelet keeps what containers print.
    pub(super) logs: Logs,
    /// The API server.
    pub(super) control: Control,
    /// The lab as a guest in a given cluster.
    pub(super) guest: Option<Guest>,
}

// === impl Ground ===

impl Ground {
    /// Prepares all of it. What it starts runs until `services` are cancelled.
    pub(crate) async fn prepare(
        settings: &Settings,
        home: &Home,
        (api, doors): (Api, Doors),
        services: &CancellationToken,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        crate::net::probe().context(crate::enter::LATE_DENIAL)?;
        let world = Arc::new(World::build(settings.mode, settings.scenario.clone())?);
        let fabric = Fabric::build(&[DATA_CENTRE])?;
        let sites = sites(&fabric)?;
        let authority = Authority::new("podid lab")?;
        let logs = Logs::default();
        let inside = SocketAddr::from((DATA_CENTRE, API_PORT));
        home.write("ca.pem", authority.ca_pem().as_bytes())?;
        home.write("ca-bundle.pem", files::trusted(authority.ca_pem()).as_bytes())?;
        home.write("cloud.json", files::cloud(doors.addresses()?).as_bytes())?;
        home.write("hosts", files::hosts(&world).as_bytes())?;
        std::os::unix::fs::symlink(std::env::current_exe()?, home.file("bin/podid"))?;

        let served = (services, tasks);
        let (control, guest) = match api {
            Api::Embedded(outside) => {
                let logs = Arc::new(logs.clone());
                (embedded::start(home, outside, inside, &authority, logs, served).await?, None)
            }
            Api::Given(given) => {
                let guest = guest::enter(home, *given, inside, served).await?;
                match guest.control(settings.mode, home, inside, served).await {
                    Ok(control) => (control, Some(guest)),
                    Err(error) => {
                        guest.leave().await;
                        return Err(error);
                    }
                }
            }
        };
        let ground = Self { world, sites, logs, control, guest };
        if let Err(error) = ground.serve(authority, doors, services, tasks).await {
            ground.leave().await;
            return Err(error);
        }
        Ok(ground)
    }

    /// Leaves a given cluster as it was.
    pub(crate) async fn leave(&self) {
        if let Some(guest) = &self.guest {
            guest.leave().await;
        }
    }

    /// Serves the simulated Azure.
    async fn serve(
        &self,
        authority: Authority,
        doors: Doors,
        services: &CancellationToken,
        tasks: &TaskTracker,
    ) -> anyhow::Result<()> {
        let imds = listen((METADATA, 80).into()).await?;
        let https = listen((DATA_CENTRE, 443).into()).await?;
        let (azure, ended) = (self.world.azure.clone(), services.clone());
        tasks.spawn(async move { azure.serve_imds(imds, ended).await });
        for (listener, service) in [(doors.arm, Service::Arm), (doors.entra, Service::Entra)] {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let door = self.world.azure.door(listener, service, &authority, services.clone())?;
            tasks.spawn(door);
        }
        let (azure, ended) = (self.world.azure.clone(), services.clone());
        tasks.spawn(async move {
            if let Err(error) = azure.serve_tls(https, &authority, ended).await {
                tracing::error!(%error, "the simulated Azure cannot serve TLS");
            }
        });
        Ok(())
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
            ]);
            Ok(NodeSite { name: (*name).to_owned(), number, node: fabric.add_node(number, style)?, labels })
        })
        .collect()
}

pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} inside the lab"))
}
