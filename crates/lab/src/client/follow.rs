//! What is in a collection, and what changes in it from now on?

use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, utils::Backoff};
use serde_json::Value;

use super::{Client, Kind};

/// Longest pause between attempts to reach the server again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a follower sees.
pub(crate) enum Seen {
    /// Everything is listed from the beginning, at first and whenever the server has forgotten what changed.
    Listing,
    /// One object of the list.
    Listed(Value),
    /// The list is complete: what it did not name is gone.
    Complete,
    /// An object is new or has changed.
    Changed(Value),
    /// An object is gone; its last state.
    Gone(Value),
}

/// Doubles the pause up to the longest one.
struct Pauses {
    next: Duration,
}

// === impl Client ===

impl Client {
    /// The objects of a kind in all namespaces, and every change of them. It never ends: it lists again where
    /// the server has forgotten too much, and connects again where it went away.
    pub(crate) fn follow(&self, kind: Kind) -> impl Stream<Item = Seen> + Send + use<> {
        let api: Api<DynamicObject> = Api::all_with(self.inner.clone(), &kind.resource());
        watcher(api, watcher::Config::default()).backoff(Pauses::new()).filter_map(|event| async {
            match event {
                Ok(Event::Init) => Some(Seen::Listing),
                Ok(Event::InitApply(object)) => json(&object).map(Seen::Listed),
                Ok(Event::InitDone) => Some(Seen::Complete),
                Ok(Event::Apply(object)) => json(&object).map(Seen::Changed),
                Ok(Event::Delete(object)) => json(&object).map(Seen::Gone),
                Err(error) => {
                    tracing::debug!(%error, "a watch of the lab begins again");
                    None
                }
            }
        })
    }
}

// === impl Pauses ===

impl Pauses {
    fn new() -> Self {
        Self { next: Duration::from_millis(50) }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        *self = Self::new();
    }
}

/// What comes from the wire always goes back.
fn json(object: &DynamicObject) -> Option<Value> {
    serde_json::to_value(object).ok()
}
