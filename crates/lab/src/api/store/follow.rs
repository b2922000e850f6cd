//! How does a watcher keep up with the store?

use std::collections::VecDeque;

use futures::{Stream, stream};
use tokio::sync::watch;

use super::super::history::Event;
use super::super::resource::Resource;
use super::super::selector::Selector;
use super::super::status::Status;
use super::Store;

/// Where one watcher is. It reads from the history when something was written, so that a slow one costs no memory.
struct Follower {
    store: Store,
    resource: Resource,
    namespace: String,
    selector: Selector,
    seen: u64,
    ready: VecDeque<Event>,
    latest: watch::Receiver<u64>,
    lost: bool,
}

pub(super) fn changes(
    store: Store,
    resource: Resource,
    namespace: String,
    selector: Selector,
    version: u64,
) -> impl Stream<Item = Result<Event, Status>> + Send + use<> {
    let latest = store.inner.latest.subscribe();
    let ready = VecDeque::new();
    let follower =
        Follower { store, resource, namespace, selector, seen: version, ready, latest, lost: false };
    stream::unfold(follower, |mut follower| async move {
        let next = follower.next().await?;
        Some((next, follower))
    })
}

// === impl Follower ===

impl Follower {
    async fn next(&mut self) -> Option<Result<Event, Status>> {
        loop {
            if self.lost {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let latest = *self.latest.borrow_and_update();
            if latest > self.seen {
                if let Err(status) = self.read() {
                    self.lost = true;
                    return Some(Err(status));
                }
            } else {
                self.latest.changed().await.ok()?;
            }
        }
    }

    fn read(&mut self) -> Result<(), Status> {
        let state = self.store.locked();
        let events = state
            .since(self.seen, &self.resource, &self.namespace, &self.selector)
            .map_err(|oldest| Status::expired(self.seen, oldest))?;
        self.seen = state.version();
        self.ready.extend(events);
        Ok(())
    }
}
