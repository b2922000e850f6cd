//! Who keeps the node's facts, and how do requests learn of a change?
//!
//! One task owns them: it takes changes from the watches, applies them, and publishes an immutable
//! [`Snapshot`]. Changes that are already waiting are applied together.

mod facts;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::{BoxStream, SelectAll, StreamExt};
use futures::{FutureExt, Stream};
use podid_core::facts::{Assignment, Binding, Exception, Identity, Pod};
use podid_core::ids::ObjectRef;
use podid_kube::watch::{Change, Changes};
use podid_runtime::readiness::Guard;
use podid_runtime::shutdown::Shutdown;
use tokio::sync::watch;

use crate::clock::WallClock;
use crate::snapshot::Snapshot;
use facts::Facts;

/// Most changes that are applied before requests hear of them.
const BATCH: usize = 256;

/// The streams that feed the world.
pub struct Sources {
    /// Pods of this node.
    pub pods: Changes<Pod>,
    /// Exceptions of all namespaces.
    pub exceptions: Changes<Exception>,
    /// Assignments of this node; none in managed mode.
    pub assignments: Option<Changes<Assignment>>,
    /// Bindings of all namespaces.
    pub bindings: Changes<Binding>,
    /// Identities of all namespaces.
    pub identities: Changes<Identity>,
}

/// Keeps the facts of one node.
pub struct World {
    facts: Facts,
    changes: SelectAll<BoxStream<'static, Event>>,
    awaited: BTreeSet<Kind>,
    publish: watch::Sender<Arc<Snapshot>>,
    until_complete: Option<Guard>,
    clock: WallClock,
}

/// What one of the streams told.
#[derive(Debug)]
enum Event {
    Pod(Change<Pod>),
    Exception(Change<Exception>),
    Assignment(Change<Assignment>),
    Binding(Change<Binding>),
    Identity(Change<Identity>),
}

/// A stream, by what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pods,
    Exceptions,
    Assignments,
    Bindings,
    Identities,
}

// === impl World ===

impl World {
    /// A world that knows nothing yet, and where its snapshots appear. `until_complete` is dropped
    /// when everything is known.
    pub fn new(
        sources: Sources,
        until_complete: Guard,
        clock: WallClock,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let mut awaited = BTreeSet::from([Kind::Pods, Kind::Exceptions, Kind::Bindings, Kind::Identities]);
        if sources.assignments.is_some() {
            awaited.insert(Kind::Assignments);
        }
        let mut changes = SelectAll::new();
        push(&mut changes, sources.pods, Event::Pod);
        push(&mut changes, sources.exceptions, Event::Exception);
        push(&mut changes, sources.bindings, Event::Binding);
        push(&mut changes, sources.identities, Event::Identity);
        if let Some(assignments) = sources.assignments {
            push(&mut changes, assignments, Event::Assignment);
        }
        let (publish, snapshots) = watch::channel(Arc::default());
        let facts = Facts::default();
        let until_complete = Some(until_complete);
        (Self { facts, changes, awaited, publish, until_complete, clock }, snapshots)
    }

    /// Runs until the shutdown begins or the streams end.
    pub async fn run(mut self, shutdown: Shutdown) {
        loop {
            let event = tokio::select! {
                () = shutdown.begun() => return,
                event = self.changes.next() => event,
            };
            let Some(event) = event else { return };
            self.apply(event);
            for _ in 1..BATCH {
                let Some(Some(event)) = self.changes.next().now_or_never() else { break };
                self.apply(event);
            }
            self.publish();
        }
    }

    fn apply(&mut self, event: Event) {
        let now = (self.clock)();
        match event {
            Event::Pod(Change::Applied(pod)) => self.facts.set_pod(&pod, now),
            Event::Pod(Change::Gone(id)) => self.facts.remove_pod(&id),
            Event::Pod(Change::Synced) => self.synced(Kind::Pods),
            Event::Exception(Change::Applied(exception)) => self.facts.set_exception(exception),
            Event::Exception(Change::Gone(id)) => self.facts.remove_exception(&id),
            Event::Exception(Change::Synced) => self.synced(Kind::Exceptions),
            Event::Assignment(Change::Applied(assignment)) => {
                let listing = self.awaited.contains(&Kind::Assignments);
                self.facts.set_assignment(&assignment, listing, now);
            }
            Event::Assignment(Change::Gone(id)) => self.facts.remove_assignment(&id),
            Event::Assignment(Change::Synced) => self.synced(Kind::Assignments),
            Event::Binding(Change::Applied(binding)) => self.facts.set_binding(binding),
            Event::Binding(Change::Gone(id)) => self.facts.remove_binding(&id),
            Event::Binding(Change::Synced) => self.synced(Kind::Bindings),
            Event::Identity(Change::Applied(identity)) => self.facts.set_identity(identity),
            Event::Identity(Change::Gone(id)) => self.facts.remove_identity(&id),
            Event::Identity(Change::Synced) => self.synced(Kind::Identities),
        }
    }

    fn synced(&mut self, kind: Kind) {
        self.awaited.remove(&kind);
    }

    fn publish(&mut self) {
        let complete = self.awaited.is_empty();
        if complete && self.until_complete.take().is_some() {
            tracing::info!("all watches are in step with the Kubernetes API");
        }
        self.publish.send_replace(Arc::new(self.facts.snapshot(complete)));
    }
}

fn push<F>(all: &mut SelectAll<BoxStream<'static, Event>>, changes: Changes<F>, event: fn(Change<F>) -> Event)
where
    F: podid_kube::watch::Fact<Key = ObjectRef>,
    Changes<F>: Stream<Item = Change<F>>,
{
    all.push(changes.map(event).boxed());
}

#[cfg(test)]
mod tests;
