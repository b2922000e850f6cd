//! What is known of a cluster where the original is installed?
//!
//! Facts of the decisions, and beside them what only adoption asks for: how an identity is written,
//! records that no decision would take for one, and the original's own workloads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::workload::Workload;
use crate::facts;
use crate::ids::{NodeName, ObjectRef};

/// A cluster, as far as it could be looked at: `None` is a kind that could not.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Where we looked.
    pub scope: Scope,
    /// Pods.
    pub pods: Option<Vec<Pod>>,
    /// Identities.
    pub identities: Option<Vec<Identity>>,
    /// Bindings.
    pub bindings: Option<Vec<facts::Binding>>,
    /// Exceptions.
    pub exceptions: Option<Vec<facts::Exception>>,
    /// `AzureAssignedIdentity` objects.
    pub records: Option<Vec<Record>>,
    /// Controllers and agents, of the original and of podid.
    pub workloads: Option<Vec<Workload>>,
    /// The Secrets that identities name, as far as they could be read; `None` for one that does not exist.
    pub secrets: BTreeMap<ObjectRef, Option<Secret>>,
}

/// Which namespaces were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    #[default]
    All,
    /// These only.
    Namespaces(BTreeSet<Arc<str>>),
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// As decisions see it.
    pub fact: facts::Pod,
    /// Name of the ReplicaSet that owns it, if one does.
    pub replica_set: Option<Arc<str>>,
}

/// An `AzureIdentity`, and how it is written.
#[derive(Clone, Debug)]
pub struct Identity {
    /// As decisions see it.
    pub fact: facts::Identity,
    /// `spec.type`, 0 where absent.
    pub type_: i64,
    /// The Secret that it names, in whichever namespace.
    pub secret: Option<ObjectRef>,
    /// `spec.adEndpoint`, if it is not empty.
    pub authority: Option<Arc<str>>,
    /// How many further tenants it names.
    pub auxiliary_tenants: usize,
}

/// An `AzureAssignedIdentity`, however odd.
#[derive(Clone, Debug)]
pub struct Record {
    /// Namespace and name.
    pub id: ObjectRef,
    /// Why it is no assignment, if it is none.
    pub unusable: Option<String>,
    /// The pod that it names, if it names one.
    pub pod: Option<ObjectRef>,
    /// The node that it names, if it names one.
    pub node: Option<NodeName>,
    /// The identity that its copy names, if it names one.
    pub identity: Option<ObjectRef>,
    /// How far it got.
    pub state: RecordState,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What `status.status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Nothing, as before release 1.5 of the original.
    Empty,
    /// `Created`.
    Created,
    /// `Assigned`.
    Assigned,
    /// `Unassigned`.
    Unassigned,
    /// Something else.
    Unknown,
}

/// What is known of a Secret: never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Its keys.
    pub keys: BTreeSet<Arc<str>>,
}

// === impl Cluster ===

impl Cluster {
    /// The pods that were seen.
    pub fn pods(&self) -> &[Pod] {
        self.pods.as_deref().unwrap_or_default()
    }

    /// The identities that were seen.
    pub fn identities(&self) -> &[Identity] {
        self.identities.as_deref().unwrap_or_default()
    }

    /// The bindings that were seen.
    pub fn bindings(&self) -> &[facts::Binding] {
        self.bindings.as_deref().unwrap_or_default()
    }

    /// The exceptions that were seen.
    pub fn exceptions(&self) -> &[facts::Exception] {
        self.exceptions.as_deref().unwrap_or_default()
    }

    /// The records that were seen.
    pub fn records(&self) -> &[Record] {
        self.records.as_deref().unwrap_or_default()
    }

    /// The workloads that were seen.
    pub fn workloads(&self) -> &[Workload] {
        self.workloads.as_deref().unwrap_or_default()
    }

    /// The identity that `binding` names, if it was seen.
    pub(super) fn identity_of(&self, binding: &facts::Binding) -> Option<&Identity> {
        let same = |identity: &&Identity| {
            identity.fact.id.namespace == binding.id.namespace && identity.fact.id.name == binding.identity
        };
        self.identities().iter().find(same)
    }

    /// Whether an exception that was seen covers `pod`.
    pub(super) fn is_excepted(&self, pod: &facts::Pod) -> bool {
        self.exceptions().iter().any(|exception| exception.covers(pod))
    }
}

// === impl Scope ===

impl Scope {
    /// Whether `namespace` was looked at.
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(names) => names.contains(namespace),
        }
    }
}
