//! How does a candidate come to hold one lock?

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use podid_core::lease::{Candidate, Step, Timing};
use tokio::time::Instant;

use super::lock::{Entry, Lock};
use crate::call::{CallError, bounded};

/// One candidate at one lock.
#[derive(Debug)]
pub(super) struct Contest<K> {
    api: Api<K>,
    lock: String,
    name: Arc<str>,
    timing: Timing,
    candidate: Candidate,
    /// The lock's object as we last wrote it; none when it has to be read.
    written: Option<K>,
    /// Where our clock begins.
    origin: Instant,
}

// === impl Contest ===

impl<K: Lock> Contest<K> {
    pub(super) fn new(client: &Client, namespace: &str, lock: &str, name: Arc<str>, timing: Timing) -> Self {
        Self {
            api: Api::namespaced(client.clone(), namespace),
            lock: lock.to_owned(),
            candidate: Candidate::new(name.clone(), timing),
            name,
            timing,
            written: None,
            origin: Instant::now(),
        }
    }

    /// Until when we hold the lock, by what we know.
    pub(super) fn leads_until(&self) -> Option<Instant> {
        self.candidate.leads_until().map(|until| self.origin + until)
    }

    /// Looks, and takes or renews the lock if it may; returns how long to wait before the next time.
    /// A failure leaves the deadline of the last renewal as it is.
    pub(super) async fn advance(&mut self) -> Duration {
        let result = match self.look_and_write().await {
            // Someone was faster, or the object is gone: look once more at once.
            Err(CallError::Conflict { .. } | CallError::Absent { .. }) => self.look_and_write().await,
            result => result,
        };
        result.unwrap_or_else(|error| {
            tracing::warn!(error = %error, "leader election hindered");
            // Sooner than usual: the deadline is near for one who leads.
            self.timing.retry / 4
        })
    }

    async fn look_and_write(&mut self) -> Result<Duration, CallError> {
        let object = match self.written.take() {
            Some(object) => object,
            None => self.look().await?,
        };
        match self.candidate.next(self.origin.elapsed()) {
            Step::Wait(wait) => Ok(wait),
            Step::Write => {
                let sent = self.origin.elapsed();
                let entry = Entry::held(&self.name, self.timing.duration, object.entry(), Timestamp::now());
                let record = entry.record(self.timing.duration);
                self.written = Some(self.write(object, entry).await?);
                self.candidate.wrote(record, sent);
                Ok(self.timing.retry)
            }
        }
    }

    /// The lock's object; one that is still to be created if there is none.
    async fn look(&mut self) -> Result<K, CallError> {
        let found = self.bounded("read", self.api.get_opt(&self.lock)).await?;
        let record = found.as_ref().and_then(Lock::entry).map(|entry| entry.record(self.timing.duration));
        self.candidate.saw(record, self.origin.elapsed());
        Ok(found.unwrap_or_else(|| {
            let mut object = K::default();
            object.meta_mut().name = Some(self.lock.clone());
            object
        }))
    }

    /// Writes over exactly the version that `object` has; one without a version must not exist yet.
    async fn write(&self, mut object: K, entry: Entry) -> Result<K, CallError> {
        object.set_entry(entry);
        let params = PostParams::default();
        if object.meta().resource_version.is_none() {
            self.bounded("create", self.api.create(&params, &object)).await
        } else {
            self.bounded("renew", self.api.replace(&self.lock, &params, &object)).await
        }
    }

    /// Gives the lock up if we hold it. A failure costs the successor the lock's duration, no more.
    pub(super) async fn release(&mut self) {
        if self.candidate.leads_until().is_some()
            && let Err(error) = self.try_release().await
        {
            tracing::warn!(error = %error, "lock not released, a successor waits until it expires");
        }
        self.candidate.step_down();
    }

    async fn try_release(&mut self) -> Result<(), CallError> {
        // A write may have been cut off by the end, so what we remember may be old.
        let object = self.look().await?;
        if let Some(entry) = object.entry().filter(|entry| entry.holder == *self.name) {
            self.write(object, entry.released(Timestamp::now())).await?;
        }
        Ok(())
    }

    /// No call may take longer than the time between two attempts.
    async fn bounded<T>(
        &self,
        verb: &str,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, CallError> {
        bounded(|| format!("{verb} {} {}", K::kind(&()), self.lock), self.timing.retry, call).await
    }
}
