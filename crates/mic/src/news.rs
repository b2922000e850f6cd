//! What happened that somebody should know?
//!
//! The world only says it; [`Reporter`](crate::report::Reporter) turns it into log lines and events.

use std::time::Duration;

use podid_core::facts::{Assignment, AssignmentState};
use podid_core::ids::{ComputeId, IdentityResourceId, NodeName, ObjectRef, Uid};

use crate::problem::Problem;

/// One assignment, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// The record.
    pub(crate) record: ObjectRef,
    /// The pod.
    pub(crate) pod: ObjectRef,
    /// Its node.
    pub(crate) node: NodeName,
    /// The identity.
    pub(crate) identity: ObjectRef,
    /// The binding that grants it.
    pub(crate) binding: ObjectRef,
    /// Uid of the binding.
    pub(crate) binding_uid: Uid,
}

/// A binding whose identity cannot be put where a pod needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Affected {
    /// The binding.
    pub(crate) binding: ObjectRef,
    /// Its uid.
    pub(crate) uid: Uid,
    /// One of the pods that wait for it, and its node; none where no pod asked for it yet.
    pub(crate) user: Option<(ObjectRef, NodeName)>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A record was written anew, in this state.
    Recorded(About, AssignmentState),
    /// A record is called assigned now.
    Assigned(About),
    /// A record is gone.
    Removed(About),
    /// A write failed; it is tried again after the wait.
    WriteFailed(About, Problem, Duration),
    /// Identities were put on a target or taken off it.
    Patched {
        target: ComputeId,
        add: Vec<IdentityResourceId>,
        remove: Vec<IdentityResourceId>,
        took: Duration,
        /// How many pods and bindings needed what was put there.
        users: usize,
    },
    /// Somebody else took identities of ours off a target.
    Drifted { target: ComputeId, ids: Vec<IdentityResourceId> },
    /// They are back.
    Repaired { target: ComputeId, ids: Vec<IdentityResourceId> },
    /// ARM refuses an identity.
    Refused { target: ComputeId, id: IdentityResourceId, problem: Problem, affected: Vec<Affected> },
    /// A whole target cannot be served for a while.
    Trouble { target: ComputeId, problem: Problem, wait: Duration, affected: Vec<Affected> },
    /// A node cannot carry the identity that a pod there needs.
    Unplaceable { affected: Affected, problem: Problem },
    /// An `AzureIdentity` cannot be used.
    InvalidIdentity { identity: ObjectRef, uid: Uid, problem: Problem },
}

// === impl About ===

impl About {
    /// What an existing record is about.
    pub(crate) fn of(record: &Assignment) -> Self {
        Self {
            record: record.id.clone(),
            pod: record.pod.clone(),
            node: record.node.clone(),
            identity: record.identity.id.clone(),
            binding: record.binding.id.clone(),
            binding_uid: record.binding.uid.clone(),
        }
    }
}
