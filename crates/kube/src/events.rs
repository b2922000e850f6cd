//! How do owners of objects learn what became of them?
//!
//! Through core `Event`s on the object, which `kubectl describe` shows (peer contract §2.9). One
//! recorder serves the whole process: reporting never waits and never fails, it only fills a bounded
//! queue. [`Deliveries::run`] writes: a repeated event is counted instead of written again, and an
//! object that causes a flood of them is cut short.

mod budget;
mod delivery;

use std::time::Duration;

use kube::Client;
use podid_core::ids::{ObjectRef, Uid};
use tokio::sync::mpsc;

pub use delivery::Deliveries;

/// The component that events come from.
const COMPONENT: &str = "aadpodidentity.k8s.io";

/// Events that may wait to be written; more are dropped.
const QUEUE: usize = 1024;

/// How long one write may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Which kind of object an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An `AzureIdentity`.
    Identity,
    /// An `AzureIdentityBinding`.
    Binding,
    /// An `AzureAssignedIdentity`.
    Assignment,
    /// A pod.
    Pod,
    /// A node; its event is written in the namespace of its id, which is no part of the node's name.
    Node,
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Kind of the object.
    pub subject: Subject,
    /// The object.
    pub id: ObjectRef,
    /// Its uid, if known: tools show the event with that object only.
    pub uid: Option<Uid>,
    /// Whether something is wrong.
    pub severity: Severity,
    /// Few fixed words, such as `binding applied`.
    pub reason: &'static str,
    /// What happened and what to do, without any secret.
    pub message: String,
}

/// Takes events from anywhere in the process.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Event>,
}

/// A recorder, and the task that delivers what it records; `instance` names this process.
pub fn recorder(client: Client, instance: &str) -> (Recorder, Deliveries) {
    let (queue, events) = mpsc::channel(QUEUE);
    (Recorder { queue }, Deliveries::new(client, instance, events))
}

// === impl Subject ===

impl Subject {
    /// The kind, as the API server calls it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Identity => "AzureIdentity",
            Self::Binding => "AzureIdentityBinding",
            Self::Assignment => "AzureAssignedIdentity",
            Self::Pod => "Pod",
            Self::Node => "Node",
        }
    }
}

// === impl Recorder ===

impl Recorder {
    /// Records `event`. It is dropped when too many wait already.
    pub fn record(&self, event: Event) {
        if let Err(refused) = self.queue.try_send(event) {
            tracing::debug!(error = %refused, "event dropped");
        }
    }
}
