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
pub(crate) mod lock;

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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Store;

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases/mic";
    const ENDPOINTS: &str = "/api/v1/namespaces/default/endpoints/mic";

    fn settings(identity: &str, legacy: bool) -> Settings {
        Settings {
            namespace: "default".into(),
            name: "mic".into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            legacy,
        }
    }

    /// Starts a candidate that competes until `stop` is sent or dropped.
    fn start(
        client: &Client,
        settings: &Settings,
    ) -> (watch::Receiver<bool>, tokio::sync::oneshot::Sender<()>) {
        let (lease, leads) = Lease::new(client, settings);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(lease.run(async move { drop(stopped.await) }));
        (leads, stop)
    }

    async fn until(leads: &mut watch::Receiver<bool>, wanted: bool) {
        tokio::time::timeout(Duration::from_mins(2), leads.wait_for(|leads| *leads == wanted))
            .await
            .unwrap()
            .unwrap();
    }

    fn expired_lease() -> Value {
        json!({
            "metadata": {"name": "mic"},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2020-01-01T00:00:00.000000Z"}
        })
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_that_see_an_expired_lease_one_leads() {
        let store = Store::default();
        store.put(LEASE, expired_lease());
        let (mut a, _stop_a) = start(&store.client(), &settings("a", false));
        let (mut b, _stop_b) = start(&store.client(), &settings("b", false));
        tokio::select! { () = until(&mut a, true) => {}, () = until(&mut b, true) => {} }
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(*a.borrow() != *b.borrow(), "exactly one leads");
        }
        assert!(store.calls().iter().any(|call| call.starts_with("PUT")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_cut_off_from_the_server_stops_before_another_leads() {
        let store = Store::default();
        let link = store.link();
        let (mut a, _stop_a) = start(&link.client, &settings("a", false));
        until(&mut a, true).await;
        let (mut b, _stop_b) = start(&store.client(), &settings("b", false));
        link.cut();
        let cut = Instant::now();
        until(&mut a, false).await;
        assert!(cut.elapsed() <= Duration::from_secs(10), "two thirds of the lease");
        assert!(!*b.borrow());
        until(&mut b, true).await;
        assert!(!*a.borrow());
    }

    /// W-46.
    #[tokio::test(start_paused = true)]
    async fn on_shutdown_a_successor_need_not_wait_for_expiry() {
        let store = Store::default();
        let (mut a, stop_a) = start(&store.client(), &settings("a", true));
        until(&mut a, true).await;
        let (mut b, _stop_b) = start(&store.client(), &settings("b", true));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stopped = Instant::now();
        stop_a.send(()).unwrap();
        until(&mut a, false).await;
        until(&mut b, true).await;
        assert!(stopped.elapsed() < Duration::from_secs(5));
    }

    /// W-46.
    #[tokio::test(start_paused = true)]
    async fn an_old_controller_keeps_us_away_and_we_keep_it_away() {
        let store = Store::default();
        let old = json!({"holderIdentity": "old-mic", "leaseDurationSeconds": 15, "renewTime": "2026-11-24T10:00:00Z"});
        let annotation = "control-plane.alpha.kubernetes.io/leader";
        let endpoints = |record: &Value| json!({"metadata": {"name": "mic", "annotations": {annotation: record.to_string()}}});
        store.put(ENDPOINTS, endpoints(&old));
        let (mut a, _stop) = start(&store.client(), &settings("a", true));
        for second in 10..40 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut renewed = old.clone();
            renewed["renewTime"] = format!("2026-11-24T10:00:{second}Z").into();
            store.put(ENDPOINTS, endpoints(&renewed));
            assert!(!*a.borrow(), "the old controller still renews");
        }
        until(&mut a, true).await;
        let record = store.get(ENDPOINTS).unwrap()["metadata"]["annotations"][annotation].clone();
        let record: Value = serde_json::from_str(record.as_str().unwrap()).unwrap();
        assert_eq!(record["holderIdentity"], "a");
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_legacy_lock_endpoints_are_left_alone() {
        let store = Store::default();
        let (mut a, _stop) = start(&store.client(), &settings("a", false));
        until(&mut a, true).await;
        assert!(store.get(ENDPOINTS).is_none());
        let lease = store.get(LEASE).unwrap();
        assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_taken_away_by_hand_ends_the_lead() {
        let store = Store::default();
        let (mut a, _stop) = start(&store.client(), &settings("a", false));
        until(&mut a, true).await;
        let mut stolen = expired_lease();
        stolen["spec"]["holderIdentity"] = "thief".into();
        store.put(LEASE, stolen);
        until(&mut a, false).await;
    }
}
