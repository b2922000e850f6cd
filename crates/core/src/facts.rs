//! What do we know? One small value per object, holding only what a decision may use.
//!
//! `podid-kube` makes facts from Kubernetes objects; nothing else in the program reads objects.
//! Two equal facts lead to equal decisions, so an event whose fact did not change is dropped.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::{ClientId, IdentityResourceId, InvalidId, NodeName, ObjectRef, Uid};

/// The pod label whose value is compared with a binding's selector (peer contract §1.3).
pub const POD_LABEL: &str = "aadpodidbinding";

/// A pod, as far as identities are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub id: ObjectRef,
    /// Distinguishes this pod from another one of the same name.
    pub uid: Uid,
    /// Where it was scheduled; none while it waits for a node.
    pub node: Option<NodeName>,
    /// All its labels: exceptions match any of them.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its addresses, empty until the network is set up. A host-network pod has its node's.
    pub addresses: Vec<IpAddr>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it shares its node's network and so is never intercepted.
    pub host_network: bool,
    /// Whether it is being deleted (it keeps its identities until it is gone or finished).
    pub terminating: bool,
    /// When it started on its node, else when it was created.
    pub started: Option<Timestamp>,
}

/// Where a pod is in its life (`status.phase`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accepted; init containers may already run and ask for tokens.
    Pending,
    /// At least one container runs or restarts.
    Running,
    /// Succeeded or failed: it runs no more and releases its identities (design §6).
    Finished,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// `spec.providerID` as written, which names the machine or scale set; empty if absent.
    pub provider_id: Arc<str>,
}

/// An `AzureIdentity`: an identity that pods may be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Namespace and name.
    pub id: ObjectRef,
    /// Distinguishes it from another one of the same name.
    pub uid: Uid,
    /// Changes when, and only when, the spec or an annotation that we read changes.
    pub spec_hash: u64,
    /// What it is; an error where the object's spec cannot be one.
    pub kind: Result<IdentityKind, InvalidIdentity>,
    /// Whether its annotation limits it to pods of its own namespace.
    pub namespaced: bool,
}

/// What an identity is, not where its tokens come from (design §7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// `type: 0`, a user-assigned managed identity.
    Managed {
        /// Which identity in ARM.
        resource_id: IdentityResourceId,
        /// Its client id, which the token's answer must name too (W-04).
        client_id: ClientId,
    },
    /// `type: 1` and `type: 2`, a service principal.
    ServicePrincipal {
        /// Its application id.
        client_id: ClientId,
        /// Its tenant: a GUID or a domain.
        tenant: Arc<str>,
        /// The Secret, in the identity's own namespace, that holds its credential.
        secret: Arc<str>,
        /// What the Secret holds.
        credential: CredentialKind,
        /// Authority to ask instead of the cloud's; checked against the allow list where used.
        authority: Option<Arc<str>>,
        /// Further tenants to ask for.
        auxiliary_tenants: Vec<Arc<str>>,
    },
}

/// What the Secret of a service principal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A client secret (`type: 1`).
    Password,
    /// A certificate and its key (`type: 2`).
    Certificate,
}

/// Why an `AzureIdentity` cannot be used, in words for its owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// `resourceID` or `clientID` is malformed or missing.
    #[error("{0}")]
    Id(#[from] InvalidId),
    /// `type` is none of 0, 1 and 2.
    #[error("type {0} is unknown; use 0 (managed identity), 1 (client secret) or 2 (certificate)")]
    Type(i64),
    /// A service principal lacks a field.
    #[error("{0} is missing, which a service principal needs")]
    Missing(&'static str),
    /// The Secret lies in another namespace (W-02).
    #[error("clientPassword.namespace is {0:?}; the Secret must be in the identity's own namespace")]
    SecretElsewhere(String),
    /// `tenantID` is neither a GUID nor a domain (W-03).
    #[error("tenantID {0:?} is neither a GUID nor a domain name")]
    Tenant(String),
}

/// An `AzureIdentityBinding`: which pods may use which identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Namespace and name.
    pub id: ObjectRef,
    /// Distinguishes it from another one of the same name.
    pub uid: Uid,
    /// Changes when, and only when, the spec changes.
    pub spec_hash: u64,
    /// Name of the identity, in the binding's own namespace.
    pub identity: Arc<str>,
    /// Value of the pod label that it matches, exactly and with case.
    pub selector: Arc<str>,
}

/// An `AzureAssignedIdentity`: MIC's record that a pod on a node uses an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Namespace and name.
    pub id: ObjectRef,
    /// Distinguishes it from another one of the same name.
    pub uid: Uid,
    /// The pod it is for.
    pub pod: ObjectRef,
    /// The node that the pod was on.
    pub node: NodeName,
    /// The copy of the identity that it carries.
    pub identity: Identity,
    /// The copy of the binding that it carries.
    pub binding: Binding,
    /// How far it got.
    pub state: AssignmentState,
    /// When it was created, from its metadata.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// How far an assignment got (`status.status`, peer contract §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentState {
    /// Recorded, the VM or scale set not yet written.
    Created,
    /// The VM or scale set has the identity. The empty status of MIC ≤ 1.4 means this too.
    Assigned,
    /// The VM or scale set no longer has it; the record is about to go.
    Unassigned,
}

/// An `AzurePodIdentityException`: pods that may talk to IMDS as their node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Namespace and name; it applies to pods of this namespace only.
    pub id: ObjectRef,
    /// Any one of these labels excepts a pod, its value compared without case.
    pub pod_labels: BTreeMap<Arc<str>, Arc<str>>,
}

/// The DaemonSet that runs an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSet {
    /// Namespace and name.
    pub id: ObjectRef,
    /// How it is being deleted, if it is.
    pub deletion: Option<Deletion>,
}

/// What a deletion means for the pods of what is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// They go, too.
    WithPods,
    /// They stay, without an owner.
    WithoutPods,
}

// === impl Pod ===

impl Pod {
    /// Value of the label that selects bindings, if it has one that is not empty (W-59).
    pub fn selector(&self) -> Option<&str> {
        self.labels.get(POD_LABEL).map(AsRef::as_ref).filter(|value| !value.is_empty())
    }

    /// Whether it can still run and ask for tokens.
    pub fn is_live(&self) -> bool {
        self.phase != Phase::Finished
    }
}

// === impl Identity ===

impl Identity {
    /// The ARM id that must be on the pod's VM or scale set; none for a service principal or an
    /// invalid identity.
    pub fn resource_id(&self) -> Option<&IdentityResourceId> {
        self.kind.as_ref().ok().and_then(IdentityKind::resource_id)
    }
}

// === impl IdentityKind ===

impl IdentityKind {
    /// The identity's client id.
    pub fn client_id(&self) -> &ClientId {
        match self {
            Self::Managed { client_id, .. } | Self::ServicePrincipal { client_id, .. } => client_id,
        }
    }

    /// The ARM id that must be on the pod's VM or scale set; none for a service principal.
    pub fn resource_id(&self) -> Option<&IdentityResourceId> {
        match self {
            Self::Managed { resource_id, .. } => Some(resource_id),
            Self::ServicePrincipal { .. } => None,
        }
    }
}

// === impl CredentialKind ===

impl CredentialKind {
    /// The key that holds the credential, of those that a Secret has: the one with the right name; a client secret
    /// may also be the only one (W-37).
    pub fn key<'a>(self, keys: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let keys: Vec<&str> = keys.collect();
        let named = keys.iter().find(|key| **key == self.key_name());
        let only = keys.first().filter(|_| keys.len() == 1 && self == Self::Password);
        named.or(only).copied()
    }

    /// The name of that key.
    pub fn key_name(self) -> &'static str {
        match self {
            Self::Password => "clientSecret",
            Self::Certificate => "certificate",
        }
    }
}

// === impl Binding ===

impl Binding {
    /// Namespace and name of the identity, which lies in the binding's own namespace.
    pub fn identity_id(&self) -> ObjectRef {
        ObjectRef::new(self.id.namespace.clone(), self.identity.clone())
    }
}

// === impl Exception ===

impl Exception {
    /// Whether `pod` is excepted by it (peer contract §1.5).
    pub fn covers(&self, pod: &Pod) -> bool {
        self.id.namespace == pod.id.namespace
            && self
                .pod_labels
                .iter()
                .any(|(key, value)| pod.labels.get(key).is_some_and(|has| has.eq_ignore_ascii_case(value)))
    }
}
