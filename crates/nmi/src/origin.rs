//! Is the DaemonSet that runs this agent still wanted?
//!
//! It is watched, because a deletion must be remembered: when the agent is told to stop, the object may
//! be gone, and its Role with it. Only where the watch saw no deletion the API is asked once more.

use std::time::Duration;

use futures::StreamExt;
use podid_core::facts::DaemonSet;
use podid_core::farewell::{Farewell, Seen};
use podid_core::ids::ObjectRef;
use podid_kube::watch::{Change, Changes};
use podid_kube::{Client, lookup, watch as watches};
use podid_runtime::shutdown::Shutdown;
use tokio::sync::watch;

/// How long the last question may take: the agent is about to end.
const LIMIT: Duration = Duration::from_secs(2);

/// What is known of the DaemonSet.
pub(crate) struct Origin {
    seen: watch::Receiver<Seen>,
    live: Option<(Client, ObjectRef)>,
}

/// Follows the DaemonSet.
pub(crate) struct Follower {
    changes: Changes<DaemonSet>,
    tell: watch::Sender<Seen>,
}

// === impl Origin ===

impl Origin {
    /// Nobody knows, so there will be a successor.
    pub(crate) fn unknown() -> Self {
        Self { seen: watch::channel(Seen::default()).1, live: None }
    }

    /// The DaemonSet `id`, which `Follower` keeps an eye on.
    pub(crate) fn watched(client: Client, id: ObjectRef) -> (Self, Follower) {
        let (follower, seen) = Follower::new(watches::daemon_set(client.clone(), &id));
        (Self { seen, live: Some((client, id)) }, follower)
    }

    /// What is to become of the redirect by what was seen until now.
    pub(crate) fn farewell(&self) -> Farewell {
        self.seen.borrow().farewell()
    }

    /// The same, after a last look.
    pub(crate) async fn last_farewell(&self) -> Farewell {
        let seen = *self.seen.borrow();
        let (Some((client, id)), Seen::Wanted) = (&self.live, seen) else { return seen.farewell() };
        match lookup::daemon_set(client, id, LIMIT).await {
            Ok(now) => seen.then(now.as_ref()).farewell(),
            Err(error) => {
                tracing::info!(%error, "cannot see whether there will be a successor; assuming so");
                seen.farewell()
            }
        }
    }
}

// === impl Follower ===

impl Follower {
    fn new(changes: Changes<DaemonSet>) -> (Self, watch::Receiver<Seen>) {
        let (tell, seen) = watch::channel(Seen::default());
        (Self { changes, tell }, seen)
    }

    /// Runs until the shutdown begins.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        loop {
            let change = tokio::select! {
                () = shutdown.begun() => return,
                Some(change) = self.changes.next() => change,
            };
            let now = match &change {
                Change::Applied(now) => Some(&**now),
                Change::Gone(_) => None,
                Change::Synced => continue,
            };
            self.tell.send_modify(|seen| *seen = seen.then(now));
            if self.tell.borrow().farewell() == Farewell::Remove {
                tracing::info!("the DaemonSet of this agent is deleted; the redirect will go with the agent");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn what_the_watch_told_is_remembered_when_nothing_can_be_asked_any_more() {
        let id = ObjectRef::new("kube-system", "nmi");
        let there = Change::Applied(Arc::new(DaemonSet { id: id.clone(), deletion: None }));
        for (history, expected) in [
            (vec![Change::Synced], Farewell::Close),
            (vec![there.clone(), Change::Synced], Farewell::Close),
            (vec![there.clone(), Change::Synced, Change::Gone(id.clone())], Farewell::Remove),
            (vec![there.clone(), Change::Gone(id.clone()), there.clone()], Farewell::Close),
        ] {
            let told = history.len();
            let (follower, seen) = Follower::new(stream::iter(history).chain(stream::pending()).boxed());
            let shutdown = Shutdown::new();
            let running = tokio::spawn(follower.run(shutdown.clone()));
            for _ in 0..=told {
                tokio::task::yield_now().await;
            }
            shutdown.begin();
            running.await.unwrap();
            let origin = Origin { seen, live: None };
            assert_eq!((origin.farewell(), origin.last_farewell().await), (expected, expected));
        }
        assert_eq!(Origin::unknown().last_farewell().await, Farewell::Close);
    }
}
