//! When do pods meet this agent, and how does that end?

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use podid_core::farewell::Farewell;
use podid_kube::events::Severity;
use podid_runtime::admin::Probe;
use podid_runtime::liveness::Liveness;
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use crate::cleanup;
use crate::metrics::Metrics;
use crate::notice::Notices;
use crate::redirect::{self, Redirect, Settings};
use crate::snapshot::Snapshot;

/// How long the predecessor may still hold the redirect, and how often we look.
const HANDOVER: Duration = Duration::from_mins(1);
const HANDOVER_PAUSE: Duration = Duration::from_millis(200);

/// What readiness waits for.
pub(super) const NAME: &str = "redirect";

/// What is told to those who wait for the redirect.
pub(super) struct Redirected {
    active: Arc<AtomicBool>,
    readiness: Readiness,
    changed: Arc<Notify>,
    metrics: Metrics,
    notices: Notices,
}

// === impl Redirected ===

impl Redirected {
    /// Not yet; `readiness` waits for it. `changed` hears of every change of the rules, and `metrics` of
    /// every repair, as do those who read events of the node.
    pub(super) fn new(
        readiness: &Readiness,
        changed: Arc<Notify>,
        metrics: Metrics,
        notices: Notices,
    ) -> Self {
        readiness.block(NAME);
        Self { active: Arc::default(), readiness: readiness.clone(), changed, metrics, notices }
    }

    /// What probes are answered with.
    pub(super) fn probe(&self, liveness: Liveness) -> Probe {
        let active = self.active.clone();
        let active = Arc::new(move || active.load(Ordering::Relaxed));
        Probe { active, readiness: self.readiness.clone(), liveness }
    }

    fn done(&self, redirect: &mut Redirect) {
        self.active.store(true, Ordering::Relaxed);
        self.readiness.unblock(NAME);
        redirect.notify(self.changed.clone());
        let (metrics, notices) = (self.metrics.clone(), self.notices.clone());
        redirect.on_repair(move |author| {
            metrics.redirect_repaired();
            let message = format!(
                "{author} changed the rules that lead pods to NMI, and NMI put them back. If it does so again and \
                 again, stop it from changing the nftables table podid."
            );
            notices.redirect(Severity::Warning, "RedirectRepaired", message);
        });
    }

    fn removed(&self) {
        self.active.store(false, Ordering::Relaxed);
        self.readiness.block(NAME);
        tracing::warn!("the redirect was removed on request, and comes back when this agent is started anew");
    }
}

/// Closes or removes the redirect; what is left of it has to be kept.
pub(super) async fn leave(redirect: Option<Redirect>, farewell: Farewell) -> Option<Redirect> {
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
pub(super) async fn keep_shut<T>(
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
pub(super) async fn keep(
    settings: Settings,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    redirected: Redirected,
    mut cleanups: Option<mpsc::Receiver<cleanup::Request>>,
    shutdown: &Shutdown,
) -> Result<Option<Redirect>, redirect::Error> {
    tokio::select! {
        () = shutdown.begun() => return Ok(None),
        complete = snapshots.wait_for(|snapshot| snapshot.complete) => drop(complete),
    }
    let mut redirect = tokio::select! {
        () = shutdown.begun() => return Ok(None),
        redirect = install(settings) => redirect?,
    };
    redirected.done(&mut redirect);
    loop {
        let mut asker = None;
        let end = async {
            tokio::select! {
                () = shutdown.begun() => {}
                // Never again where nobody can ask.
                Some(request) = next(&mut cleanups) => asker = Some(request),
            }
        };
        redirect.keep(end).await;
        let Some(asker) = asker else { return Ok(Some(redirect)) };
        match redirect.remove().await {
            Ok(()) => {
                // Whoever asked may have hung up.
                let _ = asker.send(Ok(()));
                redirected.removed();
                shutdown.begun().await;
                return Ok(None);
            }
            Err((kept, error)) => {
                let _ = asker.send(Err(error.to_string()));
                redirect = kept;
            }
        }
    }
}

/// The next one who wants the redirect to be removed; nobody where there is no socket to ask at.
async fn next(cleanups: &mut Option<mpsc::Receiver<cleanup::Request>>) -> Option<cleanup::Request> {
    match cleanups {
        Some(cleanups) => cleanups.recv().await,
        None => None,
    }
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
