//! How does the controller start and stop?

use std::sync::Arc;
use std::time::Duration;

use podid_azure::arm::Arm;
use podid_azure::config::{AzureConfig, ConfigError, Login};
use podid_azure::credential::Credential;
use podid_azure::entra::Entra;
use podid_azure::http;
use podid_azure::imds::Imds;
use podid_core::assign::Protected;
use podid_core::ids::ClientId;
use podid_kube::client::{ConnectError, NotReady, connect, require_crds};
use podid_kube::lease::{self, Lease};
use podid_kube::ledger::Ledger as Store;
use podid_kube::{Client, crd, events};
use podid_runtime::admin::{Probe, serve_metrics, serve_probes};
use podid_runtime::http::{BindError, bind};
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use podid_runtime::tasks::{TaskDied, Tasks};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cloud_file::{self, Follower};
use crate::compute::Compute;
use crate::config::{Cloud, Config};
use crate::controller::{self, Deposed, Parts};
use crate::lane::Pacing;
use crate::metrics;
use crate::ownership;
use crate::report::Reporter;
use crate::watches;
use crate::world::World;

/// Where IMDS is, which gives the controller its own tokens.
const IMDS: &str = "http://169.254.169.254";

/// How long tasks may take to end.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the lock waits for writes in hand.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Why the controller did not start, or ended. Each says what to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cloud's settings cannot be used.
    #[error(transparent)]
    Cloud(#[from] ConfigError),
    /// The API server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The cluster lacks something.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A port cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Another process leads.
    #[error(transparent)]
    Deposed(#[from] Deposed),
    /// A part of the controller ended by itself.
    #[error(transparent)]
    Died(#[from] TaskDied),
}

/// Runs the controller until `shutdown` begins.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), Error> {
    let custom = config.user_agent.iter().map(String::as_str);
    let product = concat!("podid/MIC/", env!("CARGO_PKG_VERSION"));
    let agent = std::iter::once(product).chain(custom).collect::<Vec<_>>().join(" ");

    let before = match &config.cloud {
        Cloud::File(path) => cloud_file::fingerprint(path),
        Cloud::Environment => None,
    };
    let azure = match &config.cloud {
        Cloud::File(path) => AzureConfig::from_file(path, |name| std::env::var(name).ok()),
        Cloud::Environment => AzureConfig::from_environment(|name| std::env::var(name).ok()),
    }?;
    let client = connect(config.kubeconfig.as_deref(), &agent).await?;
    let listeners = Listeners {
        probes: bind("probes", config.probes).await?,
        metrics: bind("metrics", config.metrics).await?,
    };
    require_crds(&client, &crd::STANDARD).await?;

    let mut protected =
        Protected { clients: config.immutable.iter().cloned().collect(), ..Protected::default() };
    if let Login::ManagedIdentity(Some(own)) = &azure.login {
        protected.clients.insert(own.clone());
    }
    let http = http::Client::new(http::Settings::new(&agent));
    let credential = credential(&http, &azure);
    let arm = Arm::new(http.clone(), &azure.cloud, credential.clone());
    let (follower, own) = match &config.cloud {
        Cloud::File(path) => {
            let make = move |azure: &AzureConfig| self::credential(&http, azure);
            let (follower, own) = Follower::new(path.clone(), before, &azure, credential, make);
            (Some(follower), own)
        }
        Cloud::Environment => (None, mpsc::channel(1).1),
    };
    let own = Own { protected, follower, changes: own };
    serve(&config, client, arm, own, listeners, shutdown).await
}

/// What concerns the controller's own identity.
pub(crate) struct Own {
    pub(crate) protected: Protected,
    pub(crate) follower: Option<Follower>,
    pub(crate) changes: mpsc::Receiver<ClientId>,
}

/// The ports, bound before anything starts.
pub(crate) struct Listeners {
    pub(crate) probes: TcpListener,
    pub(crate) metrics: TcpListener,
}

fn credential(http: &http::Client, azure: &AzureConfig) -> Credential {
    let (imds, entra) = (Imds::new(http.clone(), IMDS), Entra::new(http.clone()));
    Credential::new(&azure.login, &azure.cloud, imds, entra)
}

/// Starts every task, and stops them in the order in which nothing is written without the lock.
pub(crate) async fn serve<C: Compute>(
    config: &Config,
    client: Client,
    compute: C,
    own: Own,
    listeners: Listeners,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let tasks = Tasks::new(shutdown.clone());
    let readiness = Readiness::new();
    let (mut registry, metrics) = metrics::registry(&readiness);

    let (lease, leads) = Lease::new(&client, &lock(config));
    let (watches, pulses) = watches::all(&client);
    let compute = Arc::new(compute);
    metrics::leader(&mut registry, leads.clone());
    metrics::watches(&mut registry, pulses);
    let arm = compute.clone();
    metrics::budgets(&mut registry, move || arm.budgets());
    let (writing, mut idle) = mpsc::channel(1);
    let stop = {
        let shutdown = shutdown.clone();
        async move {
            shutdown.begun().await;
            // Nothing is ever sent: it ends when everybody who writes is gone.
            let _ = tokio::time::timeout(LAST_WRITES, idle.recv()).await;
        }
    };
    let (recorder, deliveries) = events::recorder(client.clone(), &config.lock.identity);
    let active = leads.clone();
    let active = Arc::new(move || *active.borrow());
    let probe = Probe { active, readiness: readiness.clone(), liveness: tasks.liveness() };

    tasks.spawn("lease", lease.run(stop));
    tasks.spawn_brief("events", deliveries.run());
    tasks.spawn("probes", serve_probes(listeners.probes, shutdown.clone(), probe));
    tasks.spawn("metrics", serve_metrics(listeners.metrics, shutdown.clone(), Arc::new(registry)));

    if let Some(follower) = own.follower {
        tasks.spawn("azure.json", follower.run(shutdown.clone()));
    }
    let pacing = Pacing { compare: config.compare, refused: config.refused, stay: config.stay };
    let result = controller::run(
        Parts {
            store: Store::new(&client, &config.namespace, ownership::NAME),
            client,
            watches,
            compute,
            world: World::new(config.matching, config.strategy, pacing, own.protected),

            leads,
            reporter: Reporter::new(recorder),
            metrics,
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            writing,
            synced: Some(readiness.guard("watches")),
            batch: config.batch,
            check: config.check,
        },
        own.changes,
    )
    .await;
    shutdown.begin();
    tasks.finished(DRAIN).await?;
    Ok(result?)
}

fn lock(config: &Config) -> lease::Settings {
    lease::Settings {
        namespace: config.lock.namespace.clone(),
        name: config.lock.name.clone(),
        identity: config.lock.identity.clone(),
        duration: config.lock.duration,
        legacy: config.lock.legacy,
    }
}

#[cfg(test)]
mod tests;
