//! In which order does the agent start and stop?
//!
//! The listener accepts before anything is redirected to it; readiness waits for the watches and the
//! redirect. At the end the redirect is closed first (new connections wait for the successor, none
//! is refused), then what is in hand is finished. Where no successor will come, the redirect is removed
//! instead. An agent that is killed leaves the rules.

use std::net::SocketAddrV4;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use podid_azure::cloud::AllowedAuthorities;
use podid_azure::entra::Entra;
use podid_azure::http;
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Terms};
use podid_core::farewell::Farewell;
use podid_core::ids::NodeName;
use podid_kube::client::{ConnectError, NotReady};
use podid_kube::{Client, client, crd, watch};
use podid_runtime::admin::{Probe, serve_metrics, serve_probes};
use podid_runtime::descriptors;
use podid_runtime::http::{BindError, Limits, Server as HttpServer, TooFewDescriptors, bind};
use podid_runtime::readiness::{Guard, Readiness};
use podid_runtime::shutdown::Shutdown;
use podid_runtime::tasks::{TaskDied, Tasks};
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::config::Config;
use crate::forward::Forward;
use crate::kubenet::{self, Kubenet};
use crate::lookup::{KubePods, Lookup};
use crate::metrics::Metrics;
use crate::neighbour::Neighbours;
use crate::origin::{Follower, Origin};
use crate::redirect::{self, Redirect, Settings};
use crate::server::{Parts, Server};
use crate::snapshot::Snapshot;
use crate::source::{KubeSecrets, Source, Upstreams};
use crate::taint;
use crate::world::{Sources, World};

/// How long requests in hand may take at the end; kubelets grant 30 s in all.
const DRAIN: Duration = Duration::from_secs(20);

/// How long everything else may take after that.
const END: Duration = Duration::from_secs(25);

/// How long the predecessor may still hold the redirect, and how often we look.
const HANDOVER: Duration = Duration::from_mins(1);
const HANDOVER_PAUSE: Duration = Duration::from_millis(200);

/// What is told to those who wait for the redirect.
struct Redirected {
    active: Arc<AtomicBool>,
    guard: Option<Guard>,
    ready: oneshot::Sender<()>,
}

/// Why the agent does not run (any more).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node is not one to run on.
    #[error(transparent)]
    Kubenet(#[from] Kubenet),
    /// No connection to the cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The cluster lacks something.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A port cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is no room for connections.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// There is no address to send pods to.
    #[error(
        "node {0} has neither route_localnet nor an IPv4 address towards the metadata service; \
         name one of its addresses with --nmi-listen-address"
    )]
    Nowhere(NodeName),
    /// The kernel does not tell of neighbours.
    #[error("cannot listen over netlink for pods that take over an address: {0}")]
    Neighbours(std::io::Error),
    /// Pods cannot be redirected.
    #[error(transparent)]
    Redirect(#[from] redirect::Error),
    /// A part of the agent died; the rest was stopped in order.
    #[error(transparent)]
    Died(#[from] TaskDied),
}

/// Runs the agent until `shutdown` begins.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), Error> {
    if let Some(file) = &config.kubelet_config {
        kubenet::check(file).await?;
    }
    let limits = Limits::default().within(descriptors::raise())?;
    let target = target(&config)?;
    let accept_at = if config.listen.is_unspecified() { config.listen } else { *target.ip() };
    let listener = bind("token requests", SocketAddrV4::new(accept_at, config.port).into()).await?;
    let probes = bind("probes", config.probes).await?;
    let scrapes = bind("metrics", config.metrics).await?;
    let cluster = client::connect(config.kubeconfig.as_deref(), &config.user_agent).await?;
    require_crds(&cluster, config.mode).await?;

    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::new();
    let (ready, told) = oneshot::channel();
    let redirected = Redirected { active: Arc::default(), guard: Some(readiness.guard("redirect")), ready };
    let probe = redirected.probe(&readiness);
    let (world, snapshots) =
        World::new(sources(&config, &cluster), readiness.guard("watches"), clock::system());
    let (origin, follower) = origin(&config, &cluster);
    let fetches = TaskTracker::new();
    let (neighbours, neighbour_notices) = Neighbours::watched().map_err(Error::Neighbours)?;
    let parts = parts(&config, &cluster, &metrics, neighbours, &fetches, &shutdown);
    let server = Server::new(parts, snapshots.clone());

    // A part that dies begins `shutdown`. Then the redirect is closed, `closed` ends the listener, and
    // when what was in hand is finished, `drained` ends what it was answered with.
    let (closed, drained) = (Shutdown::new(), Shutdown::new());
    let tasks = Tasks::new(shutdown.clone());
    tasks.spawn("probes", serve_probes(probes, drained.clone(), probe));
    tasks.spawn("metrics", serve_metrics(scrapes, drained.clone(), Arc::new(registry)));
    tasks.spawn("world", world.run(drained.clone()));
    tasks.spawn("neighbours", neighbour_notices.run(drained.clone()));
    if let Some(follower) = follower {
        tasks.spawn("own DaemonSet", follower.run(drained.clone()));
    }
    if let Some(key) = config.startup_taint.clone() {
        tasks.spawn_brief(
            "startup taint",
            untaint(cluster.clone(), config.node.clone(), key, told, drained.clone()),
        );
    }
    let requests = HttpServer::new("token requests").drain(DRAIN).limits(limits);
    let handler = move |request, peer| server.handle(request, peer);
    let serving = requests.serve(listener, closed.clone(), handler);
    let finished = drained.clone();
    tasks.spawn("token requests", async move {
        serving.await;
        finished.begin();
    });

    let settings = Settings { metadata: config.metadata, listener: target };
    let outcome = keep_redirect(settings, snapshots, redirected, &shutdown).await;
    shutdown.begin();
    let (mut redirect, outcome) = match outcome {
        Ok(redirect) => (redirect, Ok(())),
        Err(error) => (None, Err(error)),
    };
    redirect = leave(redirect, origin.farewell()).await;
    closed.begin();
    let ended = keep_shut(redirect.as_mut(), &drained, tasks.finished(END)).await;
    leave(redirect, origin.last_farewell().await).await;
    outcome?;
    Ok(ended?)
}

/// Takes the startup taint off the node once the agent is ready.
async fn untaint(cluster: Client, node: NodeName, key: String, ready: oneshot::Receiver<()>, end: Shutdown) {
    tokio::select! {
        () = end.begun() => {}
        () = taint::lift(&key, ready, || podid_kube::taint::remove(&cluster, &node, &key)) => {}
    }
}

/// Closes or removes the redirect; what is left of it has to be kept.
async fn leave(redirect: Option<Redirect>, farewell: Farewell) -> Option<Redirect> {
    let mut redirect = match (redirect?, farewell) {
        (redirect, Farewell::Close) => redirect,
        (redirect, Farewell::Remove) => match redirect.remove().await {
            Ok(()) => return None,
            Err((redirect, error)) => {
                tracing::error!(%error, "the redirect could not be removed; run `podid nmi --cleanup` on this node");
                redirect
            }
        },
    };
    if let Err(error) = redirect.close().await {
        tracing::error!(%error, "the redirect could not be closed; trying again while requests are finished");
    }
    Some(redirect)
}

/// Keeps a closed redirect closed while what is in hand is finished; `ended` decides when that is over.
async fn keep_shut<T>(
    redirect: Option<&mut Redirect>,
    drained: &Shutdown,
    ended: impl Future<Output = T>,
) -> T {
    let Some(redirect) = redirect else { return ended.await };
    let mut ended = pin!(ended);
    tokio::select! {
        ended = &mut ended => return ended,
        () = redirect.keep_closed(drained.begun()) => {}
    }
    ended.await
}

/// Installs the redirect once there is something to answer with, and keeps it until the end. None where
/// that came first.
async fn keep_redirect(
    settings: Settings,
    mut snapshots: tokio::sync::watch::Receiver<Arc<Snapshot>>,
    redirected: Redirected,
    shutdown: &Shutdown,
) -> Result<Option<Redirect>, Error> {
    tokio::select! {
        () = shutdown.begun() => return Ok(None),
        complete = snapshots.wait_for(|snapshot| snapshot.complete) => drop(complete),
    }
    let mut redirect = tokio::select! {
        () = shutdown.begun() => return Ok(None),
        redirect = install(settings) => redirect?,
    };
    redirected.done();
    redirect.keep(shutdown.begun()).await;
    Ok(Some(redirect))
}

/// A predecessor that is about to end may still own the rules.
async fn install(settings: Settings) -> Result<Redirect, redirect::Error> {
    let patience = Instant::now() + HANDOVER;
    loop {
        match Redirect::install(settings).await {
            Err(error @ (redirect::Error::Held | redirect::Error::Failed(_)))
                if Instant::now() < patience =>
            {
                tracing::warn!(%error, "cannot install the redirect yet, trying again");
                tokio::time::sleep(HANDOVER_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Where pods are sent. 127.0.0.1 works only where the node routes to it.
fn target(config: &Config) -> Result<SocketAddrV4, Error> {
    let explicit = !config.listen.is_loopback() && !config.listen.is_unspecified();
    let address = if explicit {
        config.listen
    } else {
        let destination = redirect::decide(redirect::detect(*config.metadata.ip()));
        destination.address().ok_or_else(|| Error::Nowhere(config.node.clone()))?
    };
    tracing::info!(%address, port = config.port, "token requests of pods will come here");
    Ok(SocketAddrV4::new(address, config.port))
}

/// A definition that is missing must be applied first. An API server that does not answer may come
/// back, and until then the rules of a predecessor must find a listener.
async fn require_crds(cluster: &Client, mode: Mode) -> Result<(), Error> {
    let plurals: &[&str] = match mode {
        Mode::Standard => &crd::STANDARD,
        Mode::Managed => &crd::MANAGED,
    };
    match client::require_crds(cluster, plurals).await {
        Ok(()) => Ok(()),
        Err(error @ NotReady::Undefined(_)) => Err(error.into()),
        Err(NotReady::Call(error)) => {
            tracing::warn!(%error, "cannot see yet whether the custom resources are defined");
            Ok(())
        }
    }
}

/// Who tells whether there will be a successor.
fn origin(config: &Config, cluster: &Client) -> (Origin, Option<Follower>) {
    let Some(id) = &config.daemon_set else { return (Origin::unknown(), None) };
    let (origin, follower) = Origin::watched(cluster.clone(), id.clone());
    (origin, Some(follower))
}

fn sources(config: &Config, cluster: &Client) -> Sources {
    let assignments = (config.mode == Mode::Standard).then(|| {
        if config.own_assignments_only {
            watch::assignments_on_node(cluster.clone(), &config.node)
        } else {
            watch::assignments(cluster.clone())
        }
    });
    Sources {
        pods: watch::pods_on_node(cluster.clone(), &config.node),
        exceptions: watch::exceptions(cluster.clone()),
        assignments,
        bindings: watch::bindings(cluster.clone()),
        identities: watch::identities(cluster.clone()),
    }
}

fn parts(
    config: &Config,
    cluster: &Client,
    metrics: &Metrics,
    neighbours: Neighbours,
    fetches: &TaskTracker,
    draining: &Shutdown,
) -> Parts {
    let http = http::Client::new(http::Settings::new(&config.user_agent));
    let allowed = AllowedAuthorities::with(&config.allowed_authorities).and_cloud(&config.cloud);
    let upstreams = Upstreams {
        imds: Imds::new(http.clone(), format!("http://{}", config.metadata)),
        entra: Entra::new(http.clone()),
        authority: config.cloud.endpoints.authority.clone(),
        allowed,
        secrets: Arc::new(KubeSecrets(cluster.clone())),
    };
    Parts {
        rules: config.rules,
        terms: Terms {
            mode: config.mode,
            matching: config.matching,
            node: config.node.clone(),
            hold_unknown: config.holds.unknown(),
            hold_under_way: config.holds.under_way(),
        },
        lookup: Lookup::new(KubePods::new(cluster.clone(), config.node.clone()), metrics.clone()),
        neighbours,
        source: Source::new(upstreams, metrics.clone(), fetches.clone()),
        forward: Forward::new(http, config.metadata.into()),
        metrics: metrics.clone(),
        draining: draining.clone(),
        clock: clock::system(),
    }
}

// === impl Redirected ===

impl Redirected {
    fn probe(&self, readiness: &Readiness) -> Probe {
        let active = self.active.clone();
        Probe { active: Arc::new(move || active.load(Ordering::Relaxed)), readiness: readiness.clone() }
    }

    fn done(mut self) {
        self.active.store(true, Ordering::Relaxed);
        drop(self.guard.take());
        // Nobody waits where there is no taint.
        let _ = self.ready.send(());
    }
}
