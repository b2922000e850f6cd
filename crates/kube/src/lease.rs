//! Do we lead?
//!
//! A candidate for the lock of aad-pod-identity's controllers. It holds a `Lease` and, unless told
//! otherwise, also the `Endpoints` record that the original's MIC uses, so that an old controller
//! stays away while podid works (peer contract §2.3). It leads only while it holds both; whoever has
//! no `Lease` does not try for the `Endpoints`, so two candidates cannot hold one each for ever.
//!
//! The decisions are [`podid_core::lease`]'s. Here are the calls, each with a timeout, and the
//! deadline: when a renewal has not succeeded in time, `false` is published by our own clock, without
//! waiting for any answer.

mod contest;
mod lock;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::api::core::v1::Endpoints;
use kube::Client;
use podid_core::lease::Timing;
use tokio::sync::watch;
use tokio::time::Instant;

use contest::Contest;

/// Which lock, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the lock.
    pub namespace: String,
    /// Name of the lock.
    pub name: String,
    /// Our name; another one for every process, such as the pod's name.
    pub identity: String,
    /// How long the lock is respected after its last renewal; at least a second.
    pub duration: Duration,
    /// Whether to hold the original's `Endpoints` record as well.
    pub legacy: bool,
}

/// A candidate, to be driven by [`Lease::run`].
#[derive(Debug)]
pub struct Lease {
    current: Contest<LeaseObject>,
    legacy: Option<Contest<Endpoints>>,
    retry: Duration,
    until: watch::Sender<Option<Instant>>,
    leads: watch::Sender<bool>,
}

// === impl Lease ===

impl Lease {
    /// A candidate and the answer to "do we lead?", which is false until [`Lease::run`] wins.
    pub fn new(client: &Client, settings: &Settings) -> (Self, watch::Receiver<bool>) {
        let timing = Timing::new(settings.duration.max(Duration::from_secs(1)));
        let name: Arc<str> = settings.identity.as_str().into();
        let (namespace, lock) = (&settings.namespace, &settings.name);
        let (leads, answer) = watch::channel(false);
        let lease = Self {
            current: Contest::new(client, namespace, lock, name.clone(), timing),
            legacy: settings.legacy.then(|| Contest::new(client, namespace, lock, name, timing)),
            retry: timing.retry,
            until: watch::Sender::new(None),
            leads,
        };
        (lease, answer)
    }

    /// Competes until `stop`, then publishes `false` and gives the lock up.
    ///
    /// `stop` should come when the work that needs the lock has ended: another candidate may begin
    /// at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let deadline = publish(self.until.subscribe(), self.leads.clone());
        tokio::select! {
            () = deadline => {}
            () = self.compete() => {}
            () = stop => {}
        }
        self.leads.send_replace(false);
        self.release().await;
    }

    async fn compete(&mut self) {
        loop {
            let mut wait = self.current.advance().await;
            let mut until = self.current.leads_until();
            if let (Some(legacy), Some(held)) = (&mut self.legacy, until) {
                wait = wait.min(legacy.advance().await);
                until = legacy.leads_until().map(|until| until.min(held));
            }
            self.until.send_replace(until);
            tokio::time::sleep(wait.min(self.retry)).await;
        }
    }

    /// The original's record first: a successor tries the lease first.
    async fn release(&mut self) {
        if let Some(legacy) = &mut self.legacy {
            legacy.release().await;
        }
        self.current.release().await;
    }
}

/// Turns "until when" into "do we lead?", on time.
async fn publish(mut until: watch::Receiver<Option<Instant>>, leads: watch::Sender<bool>) {
    loop {
        let deadline = until.borrow_and_update().filter(|deadline| Instant::now() < *deadline);
        let leading = deadline.is_some();
        if leads.send_if_modified(|leads| std::mem::replace(leads, leading) != leading) {
            tracing::info!(leading, "leadership changed");
        }
        tokio::select! {
            changed = until.changed() => if changed.is_err() { return },
            () = sleep_until(deadline) => {}
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
