//! Is it still true that pods meet this agent?
//!
//! Asked after every change of the rules, and now and then, because other programs' rules change, too.

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use podid_kube::events::Severity;
use podid_runtime::readiness::{Guard, Readiness};
use podid_runtime::shutdown::Shutdown;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use super::redirected;
use crate::metrics::Metrics;
use crate::notice::Notices;
use crate::selftest::{self, Fault, Secret};

/// What readiness waits for.
const NAME: &str = "redirect self-test";

/// How long until the next test where nothing has changed.
const AFTER_SUCCESS: Duration = Duration::from_mins(10);
const AFTER_FAILURE: Duration = Duration::from_secs(15);

/// Whoever asks again and again whether the redirect works.
pub(super) struct Proof {
    metadata: SocketAddrV4,
    secret: Secret,
    metrics: Metrics,
    changed: Arc<Notify>,
    reports: Reports,
}

/// Who is told of the outcome.
struct Reports {
    readiness: Readiness,
    /// Until the first outcome.
    first: Option<(Guard, oneshot::Sender<()>)>,
    /// Whether the last outcome was a fault, and is therefore known.
    faulty: bool,
    /// Whether the node has an event that says that the redirect is broken.
    told: bool,
    notices: Notices,
}

// === impl Proof ===

impl Proof {
    /// Nothing is shown yet; `readiness` waits for it. The first receiver hears when it is; `changed` is to be
    /// notified of every change of the rules.
    pub(super) fn new(
        metadata: SocketAddrV4,
        secret: Secret,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> (Self, oneshot::Receiver<()>, Arc<Notify>) {
        let (ready, told) = oneshot::channel();
        let changed = Arc::new(Notify::new());
        let reports = Reports {
            readiness: readiness.clone(),
            first: Some((readiness.guard(NAME), ready)),
            faulty: false,
            told: false,
            notices: Notices::default(),
        };
        (Self { metadata, secret, metrics, changed: changed.clone(), reports }, told, changed)
    }

    /// The same, with events on the node when the redirect breaks and when it works again.
    pub(super) fn telling(mut self, notices: Notices) -> Self {
        self.reports.notices = notices;
        self
    }

    /// Takes for granted that an installed redirect works.
    pub(super) async fn waive(mut self, end: Shutdown) {
        tokio::select! {
            () = end.begun() => return,
            () = self.changed.notified() => self.reports.pass(),
        }
        end.begun().await;
    }

    /// Tests until `end` begins.
    pub(super) async fn run(mut self, end: Shutdown) {
        let mut wait = Duration::MAX;
        loop {
            tokio::select! {
                biased;
                () = end.begun() => return,
                () = self.changed.notified() => {}
                () = sleep(wait) => {}
            }
            // It was removed on request, and there is nothing to test.
            if self.reports.readiness.pending().contains(&redirected::NAME) {
                continue;
            }
            // A test that has begun is finished: it removes what it made.
            let outcome = selftest::run(self.metadata, &self.secret).await;
            // A redirect that is being closed is silent.
            if end.is_begun() {
                return;
            }
            self.metrics.self_test(&outcome);
            wait = if self.reports.take_in(outcome) { AFTER_SUCCESS } else { AFTER_FAILURE };
        }
    }
}

// === impl Reports ===

impl Reports {
    /// Tells of an outcome; says whether the next test has time.
    fn take_in(&mut self, outcome: Result<(), Fault>) -> bool {
        self.tell(&outcome);
        let broken = match outcome {
            Ok(()) => {
                if self.faulty || self.first.is_some() {
                    tracing::info!(
                        "connections to the metadata address reach this agent, as a test over a link showed"
                    );
                }
                self.faulty = false;
                false
            }
            Err(error @ Fault::Broken { .. }) => {
                tracing::error!(%error, "the redirect does not work; this agent is not ready");
                self.faulty = true;
                true
            }
            Err(error @ Fault::Untested(_)) => {
                if !self.faulty {
                    tracing::warn!(%error, "the redirect is installed, and not tested");
                }
                self.faulty = true;
                false
            }
        };
        if broken {
            self.readiness.block(NAME);
        } else {
            self.pass();
        }
        !broken
    }

    /// Leaves an event when the redirect breaks, and when it works again.
    fn tell(&mut self, outcome: &Result<(), Fault>) {
        match outcome {
            Err(error @ Fault::Broken { .. }) if !self.told => {
                let message = format!("Pods of this node do not reach NMI: {error}");
                self.notices.redirect(Severity::Warning, "RedirectBroken", message);
                self.told = true;
            }
            Ok(()) if self.told => {
                let message = "Pods of this node reach NMI again.".to_owned();
                self.notices.redirect(Severity::Normal, "RedirectWorks", message);
                self.told = false;
            }
            _ => {}
        }
    }

    /// Nothing speaks against being ready.
    fn pass(&mut self) {
        self.readiness.unblock(NAME);
        if let Some((guard, ready)) = self.first.take() {
            drop(guard);
            // Nobody waits where there is no taint.
            let _ = ready.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::selftest::Symptom;

    fn broken() -> Fault {
        let metadata = "169.254.169.254:80".parse().unwrap();
        Fault::Broken { metadata, symptom: Symptom::Silence }
    }

    fn reports() -> (Reports, Readiness, oneshot::Receiver<()>) {
        let readiness = Readiness::new();
        let metrics = crate::metrics::registry(&readiness).1;
        let metadata = "169.254.169.254:80".parse().unwrap();
        let (proof, told, _) = Proof::new(metadata, Secret::new().unwrap(), metrics, &readiness);
        (proof.reports, readiness, told)
    }

    #[test]
    fn not_ready_before_the_first_success_and_while_the_redirect_is_broken() {
        let (mut reports, readiness, mut told) = reports();
        assert_eq!(readiness.pending(), [NAME]);
        assert!(!reports.take_in(Err(broken())));
        assert_eq!(readiness.pending(), [NAME]);
        told.try_recv().unwrap_err();
        assert!(reports.take_in(Ok(())));
        assert!(readiness.pending().is_empty());
        told.try_recv().unwrap();
        assert!(!reports.take_in(Err(broken())));
        assert_eq!(readiness.pending(), [NAME]);
        assert!(reports.take_in(Ok(())));
        assert!(readiness.pending().is_empty());
    }

    #[test]
    fn what_cannot_be_tested_is_no_fault_of_the_redirect() {
        let (mut reports, readiness, mut told) = reports();
        assert!(reports.take_in(Err(Fault::Untested(io::Error::other("no veth")))));
        assert!(readiness.pending().is_empty());
        told.try_recv().unwrap();
    }
}
