//! What is known on this node at one moment, and whose address is this?
//!
//! Immutable: the world publishes a new one for every change, and requests read it without a lock.
//! The indexes are shared between snapshots that agree on them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use podid_core::answer::{Caller, Held, View};
use podid_core::facts::{Binding, Exception, Identity, Pod};
use podid_core::ids::ObjectRef;
use podid_core::select::{Matching, Selection, select};

/// All facts of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Whether every watch has told all it knows.
    pub complete: bool,
    pub(crate) pods: Arc<HashMap<ObjectRef, Arc<Resident>>>,
    pub(crate) addresses: Arc<HashMap<IpAddr, Vec<Arc<Resident>>>>,
    pub(crate) assignments: Arc<HashMap<ObjectRef, Vec<Arc<Held>>>>,
    pub(crate) bindings: Arc<HashMap<Arc<str>, Vec<Arc<Binding>>>>,
    pub(crate) identities: Arc<HashMap<ObjectRef, Arc<Identity>>>,
    pub(crate) exceptions: Arc<Vec<Arc<Exception>>>,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The pod.
    pub pod: Arc<Pod>,
    /// The later of its start and its last label change that this agent saw.
    pub settled: Timestamp,
}

/// Whom an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One pod.
    One(Arc<Resident>),
    /// No pod that is known.
    Nobody,
    /// More than one pod that may still run; choosing one would be a guess.
    Several(Vec<ObjectRef>),
}

// === impl Snapshot ===

impl Snapshot {
    /// Whose address `address` is.
    pub fn owner(&self, address: IpAddr) -> Owner {
        Owner::among(self.addresses.get(&address).map_or(&[], Vec::as_slice))
    }

    /// The pod `id`, if it may still run.
    pub fn live(&self, id: &ObjectRef) -> Option<Arc<Resident>> {
        self.pods.get(id).filter(|known| known.pod.is_live()).cloned()
    }
}

impl View for Snapshot {
    fn excepts(&self, pod: &Pod) -> bool {
        self.exceptions.iter().any(|exception| exception.covers(pod))
    }

    fn assignments(&self, pod: &ObjectRef) -> impl Iterator<Item = &Held> {
        self.assignments.get(pod).into_iter().flatten().map(AsRef::as_ref)
    }

    fn selection(&self, pod: &Pod, matching: Matching) -> Selection<'_> {
        let Some(label) = pod.selector() else { return Selection::default() };
        let bindings = self.bindings.get(label).into_iter().flatten().map(AsRef::as_ref);
        let identity = |id: &ObjectRef| self.identities.get(id).map(AsRef::as_ref);
        select(pod, bindings, identity, matching)
    }
}

// === impl Resident ===

impl Resident {
    /// The pod as decisions see it.
    pub fn caller(&self) -> Caller<'_> {
        Caller { pod: &self.pod, settled: self.settled }
    }

    /// Whether a request from the pod can reach us from its address: a finished pod's address may be
    /// another's by now, and a host-network pod has the node's.
    pub(crate) fn can_call(&self) -> bool {
        self.pod.is_live() && !self.pod.host_network
    }
}

// === impl Owner ===

impl Owner {
    /// The owner of an address that these pods have.
    pub(crate) fn among(candidates: &[Arc<Resident>]) -> Self {
        match candidates {
            [] => Self::Nobody,
            [one] => Self::One(one.clone()),
            several => Self::Several(several.iter().map(|resident| resident.pod.id.clone()).collect()),
        }
    }
}
