//! How does the lab run inside its namespaces, from its start to its end?

use std::process::ExitCode;

use anyhow::Context as _;
use nix::sys::signal::{SigSet, Signal};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cluster::{Api, Cluster, Ground};
use crate::doors::Doors;
use crate::given::Given;
use crate::home::Home;
use crate::timeline::Timeline;
use crate::{Settings, story};

/// What a shell calls a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The lab inside its namespaces: builds it, makes the story happen, waits, ends it.
pub(crate) fn inside(home: &Home) -> anyhow::Result<ExitCode> {
    // The supervisor blocks them for itself, and a new process inherits that.
    SigSet::all().thread_unblock().context("cannot receive signals")?;
    // When the supervisor is killed there is nobody left to say stop.
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).context("cannot follow the supervisor's end")?;
    let settings =
        std::fs::read(home.file("settings.json")).context("podid lab inside is started by podid lab up")?;
    let settings: Settings = serde_json::from_slice(&settings)?;
    let mut doors = Doors::receive(std::io::stdin())?;
    let api = match (&settings.kubeconfig, doors.api.take()) {
        (Some(path), _) => Api::Given(Box::new(Given::read(path)?)),
        (None, Some(listener)) => Api::Embedded(listener),
        (None, None) => anyhow::bail!("podid lab inside is started by podid lab up"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(run(&settings, home, api, doors));
    // The supervisor removes it too, unless it was killed.
    home.remove();
    code
}

async fn run(settings: &Settings, home: &Home, api: Api, doors: Doors) -> anyhow::Result<ExitCode> {
    let stop = stop_on_signals()?;
    // The pods end first; what they talk to ends after them.
    let (services, tasks) = (CancellationToken::new(), TaskTracker::new());
    let begun = async {
        let ground = Ground::prepare(settings, home, (api, doors), &services, &tasks).await?;
        let told = live(settings, home, &ground, &stop, &tasks).await;
        ground.leave().await;
        told
    };
    let told = begun.await;
    services.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(match told? {
        Some(0) => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::from(INTERRUPTED),
    })
}

/// Runs a cluster until it is to stop. The number of claims that did not hold; none when it was interrupted.
async fn live(
    settings: &Settings,
    home: &Home,
    ground: &Ground,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> anyhow::Result<Option<usize>> {
    let cluster = Cluster::start(settings, home, ground, tasks).await?;
    let ready = tokio::select! {
        ready = cluster.agents_ready() => ready.map(|()| true),
        () = stop.cancelled() => Ok(false),
    };
    let told = match ready {
        Ok(true) => tell(&cluster, settings, stop).await,
        Ok(false) | Err(_) => None,
    };
    cluster.kubelet.stop().await;
    ready?;
    Ok(told)
}

/// Tells the story, and then waits if the lab is to be kept. None when it was interrupted.
async fn tell(cluster: &Cluster, settings: &Settings, stop: &CancellationToken) -> Option<usize> {
    let timeline = Timeline::begin();
    let _watching = story::watch(cluster, &timeline);
    let failures = tokio::select! {
        failures = story::tell(cluster, settings, &timeline) => failures,
        () = stop.cancelled() => return None,
    };
    if settings.keep {
        stop.cancelled().await;
    }
    Some(failures)
}

fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut arrived, token) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            arrived.recv().await;
            token.cancel();
        });
    }
    Ok(stop)
}
