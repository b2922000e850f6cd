//! In which order does the agent start and stop?
//!
//! The listener accepts before anything is redirected to it; readiness waits for the watches and the
//! redirect. At the end the redirect is closed first (new connections wait for the successor, none
//! is refused), then what is in hand is finished. Where no successor will come, the redirect is removed
//! instead. An agent that is killed leaves the rules.

mod parts;
mod proof;
mod redirected;

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;
use podid_core::answer::Mode;
use podid_core::ids::NodeName;
use podid_kube::client::{ConnectError, NotReady};
use podid_kube::{Client, client, crd, events};
use podid_runtime::admin::{serve_metrics, serve_probes};
use podid_runtime::descriptors;
use podid_runtime::http::{BindError, Limits, Server as HttpServer, TooFewDescriptors, bind};
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use podid_runtime::tasks::{TaskDied, Tasks};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::audit::{Audit, AuditError};
use crate::cleanup::Attendant;
use crate::clock;
use crate::config::Config;
use crate::kubenet::{self, Kubenet};
use crate::metrics;
use crate::neighbour::Neighbours;
use crate::notice::Notices;
use crate::redirect::{self, Settings};
use crate::selftest::Secret;
use crate::server::Server;
use crate::taint;
use crate::world::World;

use parts::{origin, parts, sources};
use proof::Proof;
use redirected::{Redirected, keep_shut, leave};

/// How long, once the redirect is closed, callers who are connected already are still served: longer than it takes
/// to accept them, and to ask the next question on an open connection.
const LINGER: Duration = Duration::from_secs(1);

/// How long requests in hand may take at the end; kubelets grant 30 s in all.
const DRAIN: Duration = Duration::from_secs(20);

/// How long everything else may take after that.
const END: Duration = Duration::from_secs(25);

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
    /// The kernel gives no random numbers.
    #[error("cannot make the secret of the redirect's self-test: {0}")]
    Chance(std::io::Error),
    /// Pods cannot be redirected.
    #[error(transparent)]
    Redirect(#[from] redirect::Error),
    /// There is nowhere to write the audit stream.
    #[error(transparent)]
    Audit(#[from] AuditError),
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

    let readiness = Readiness::new();
    let (registry, metrics) = metrics::registry(&readiness);
    let (audit, audit_end) = Audit::start(&config.running.audit, metrics.audit_lost())?;
    let tasks = Tasks::new(shutdown.clone());
    let (recorder, deliveries) = events::recorder(cluster.clone(), &format!("nmi-{}", config.node.as_str()));
    let notices = Notices::new(recorder, config.node.clone());
    let secret = Secret::new().map_err(Error::Chance)?;
    let (proof, told, changed) = Proof::new(config.metadata, secret.clone(), metrics.clone(), &readiness);
    let proof = proof.telling(notices.clone());
    let proof = if config.self_test {
        Either::Left(proof.run(shutdown.clone()))
    } else {
        Either::Right(proof.waive(shutdown.clone()))
    };
    let redirected = Redirected::new(&readiness, changed, metrics.clone(), notices.clone());
    let probe = redirected.probe(tasks.liveness());
    let (world, snapshots) =
        World::new(sources(&config, &cluster), readiness.guard("watches"), clock::system());
    let (origin, follower) = origin(&config, &cluster);
    let fetches = TaskTracker::new();
    let (neighbours, neighbour_notices) = Neighbours::watched().map_err(Error::Neighbours)?;
    let parts = parts(&config, &cluster, &metrics, (audit, notices), neighbours, &fetches, &shutdown);
    let server = Server::new(parts, snapshots.clone());

    // A part that dies begins `shutdown`. Then the redirect is closed, `closed` ends the listener, and
    // when what was in hand is finished, `drained` ends what it was answered with.
    let (closed, drained) = (Shutdown::new(), Shutdown::new());
    tasks.spawn("probes", serve_probes(probes, drained.clone(), probe));
    tasks.spawn("metrics", serve_metrics(scrapes, drained.clone(), Arc::new(registry)));
    tasks.spawn("world", world.run(drained.clone()));
    tasks.spawn("token cache", server.clone().tidy(drained.clone()));
    tasks.spawn("neighbours", neighbour_notices.run(drained.clone()));
    tasks.spawn("redirect self-test", proof);
    let unsent = drained.clone();
    tasks.spawn_brief("events", async move {
        // Events are a courtesy, and keep no process alive.
        tokio::select! {
            () = unsent.begun() => {}
            () = deliveries.run() => {}
        }
    });
    if let Some(follower) = follower {
        tasks.spawn("own DaemonSet", follower.run(drained.clone()));
    }
    if let Some(key) = config.startup_taint.clone() {
        tasks.spawn_brief(
            "startup taint",
            untaint(cluster.clone(), config.node.clone(), key, told, drained.clone()),
        );
    }
    let requests = HttpServer::new("token requests").linger(LINGER).drain(DRAIN).limits(limits);
    let handler = move |request, peer| match secret.answer(&request, peer) {
        Some(answer) => Either::Left(std::future::ready(answer)),
        None => Either::Right(server.handle(request, peer)),
    };
    let serving = requests.serve(listener, closed.clone(), handler);
    let finished = drained.clone();
    tasks.spawn("token requests", async move {
        serving.await;
        finished.begin();
    });

    let cleanups = match Attendant::listen() {
        Ok((attendant, cleanups)) => {
            tasks.spawn("cleanup on request", attendant.run(shutdown.clone()));
            Some(cleanups)
        }
        Err(error) => {
            tracing::warn!(%error, "`podid nmi --cleanup` cannot ask this agent: its control socket is not there");
            None
        }
    };
    let settings = Settings { metadata: config.metadata, listener: target, options: config.redirect };
    let outcome = redirected::keep(settings, snapshots, redirected, cleanups, &shutdown).await;
    shutdown.begin();
    let (mut redirect, outcome) = match outcome {
        Ok(redirect) => (redirect, Ok(())),
        Err(error) => (None, Err(error)),
    };
    redirect = leave(redirect, origin.farewell()).await;
    closed.begin();
    let ended = keep_shut(redirect.as_mut(), &drained, tasks.finished(END)).await;
    leave(redirect, origin.last_farewell().await).await;
    audit_end.finish().await;
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

/// Where pods are sent. 127.0.0.1 works only where the node routes to it.
fn target(config: &Config) -> Result<SocketAddrV4, Error> {
    let explicit = !config.listen.is_loopback() && !config.listen.is_unspecified();
    let address = if explicit {
        config.listen
    } else {
        let destination = redirect::decide(redirect::detect(*config.metadata.ip()), config.redirect);
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
