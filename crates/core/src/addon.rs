//! Which steps give pods an identity, which take it back, and how does it stand now?
//!
//! What the AKS add-on did behind `az aks pod-identity …`: an identity in Azure, a role for the cluster,
//! an `AzureIdentity` and an `AzureIdentityBinding` are one *pod identity*. [`add`] and [`delete`] look at
//! what is there and give the steps that are missing, so a command that was interrupted anywhere is run
//! again and goes on. [`exception`] does the same for exceptions, and [`state`] says what is true now.
//!
//! An object that podid made carries [`MARK`]; only those are changed and deleted.

pub mod add;
pub mod delete;
pub mod enable;
pub mod exception;
pub mod labels;
pub mod name;
pub mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::facts::{Binding, Identity};
use crate::ids::{ClientId, ComputeId, IdentityResourceId, ObjectRef, PrincipalId, Uid};
use crate::role::MANAGED_IDENTITY_OPERATOR;

/// Label and value of every object that the commands made.
pub const MARK: (&str, &str) = ("app.kubernetes.io/managed-by", "podid");

/// How many pod identities a cluster may have, and how many exceptions: the add-on's limits, of which
/// the first had its cause in what a scale set bears.
pub const DEFAULT_LIMIT: usize = 200;

/// A pod identity as it was asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Namespace and name of both objects.
    pub id: ObjectRef,
    /// The identity in Azure.
    pub resource: IdentityResourceId,
    /// Value of the pods' label `aadpodidbinding`.
    pub selector: Arc<str>,
}

/// An object of the cluster, with what a writer has to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// What it says.
    pub fact: T,
    /// Whether the commands made it ([`MARK`]).
    pub ours: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its version, which a change names so that nobody is overwritten.
    pub version: Arc<str>,
}

/// A namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It does not exist.
    Absent,
    /// It is there.
    Active,
    /// It is being deleted, and takes no new objects.
    Terminating,
}

/// What the cluster has, as far as pod identities are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The namespace that was asked for.
    pub place: Place,
    /// The identities of all namespaces.
    pub identities: Vec<Held<Identity>>,
    /// The bindings of all namespaces.
    pub bindings: Vec<Held<Binding>>,
}

/// An identity in Azure, as ARM describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureSide {
    /// Its ARM id.
    pub resource: IdentityResourceId,
    /// Its client id.
    pub client: ClientId,
    /// Its object id.
    pub principal: PrincipalId,
}

/// How an identity stands with one VM or scale set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNodes {
    /// It is not there.
    Absent,
    /// It is there, put by podid.
    Ours,
    /// It was there before podid needed it.
    Found,
    /// It is there as it was before it was deleted and made anew in Azure; it has to be attached again.
    Stale,
}

/// One thing to do, in Azure or in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Grant Managed Identity Operator on `on` to `to`.
    GrantRole {
        /// Whom: the cluster's own identity.
        to: PrincipalId,
        /// On which identity.
        on: IdentityResourceId,
    },
    /// Make the namespace.
    CreateNamespace {
        /// Its name.
        name: Arc<str>,
    },
    /// Create the `AzureIdentity`, or change what it says; `version` is that of the one to change.
    WriteIdentity {
        /// Namespace and name.
        id: ObjectRef,
        /// The identity in Azure.
        resource: IdentityResourceId,
        /// Its client id.
        client: ClientId,
        /// The version that is changed; none to create it.
        version: Option<Arc<str>>,
    },
    /// Put the identity on a VM or scale set, or take it off first where it is stale.
    PutOnNodes {
        /// The VM or scale set.
        target: ComputeId,
        /// The identity.
        resource: IdentityResourceId,
        /// Whether what is there has to be detached first.
        stale: bool,
    },
    /// Create the `AzureIdentityBinding`, or change what it says.
    WriteBinding {
        /// Namespace and name.
        id: ObjectRef,
        /// Name of the identity, in the same namespace.
        identity: Arc<str>,
        /// What pods are matched by.
        selector: Arc<str>,
        /// The version that is changed; none to create it.
        version: Option<Arc<str>>,
    },
    /// Delete a binding that podid made.
    DeleteBinding {
        /// Namespace and name.
        id: ObjectRef,
        /// Which one of that name.
        uid: Uid,
    },
    /// Take the identity off a VM or scale set.
    TakeOffNodes {
        /// The VM or scale set.
        target: ComputeId,
        /// The identity.
        resource: IdentityResourceId,
    },
    /// Delete an identity that podid made.
    DeleteIdentity {
        /// Namespace and name.
        id: ObjectRef,
        /// Which one of that name.
        uid: Uid,
    },
}

/// Why nothing was written. Each names what, where, and what next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The namespace goes.
    #[error("namespace {0} is being deleted; wait until it is gone, then run this again")]
    NamespaceGoing(Arc<str>),
    /// An object of that name goes.
    #[error("{kind} {id} is being deleted; wait until it is gone, then run this again")]
    Going {
        /// Its kind.
        kind: &'static str,
        /// Namespace and name.
        id: ObjectRef,
    },
    /// The name is taken by another identity.
    #[error(
        "pod identity {id} already exists and is {there}; choose another --name, or take it away first: \
         podid delete --namespace {} --name {}", id.namespace, id.name
    )]
    OtherIdentity {
        /// Namespace and name.
        id: ObjectRef,
        /// What it is.
        there: String,
    },
    /// Somebody else's object of that name says something else.
    #[error(
        "{kind} {id} was not made by podid and says {there}; podid does not change it: correct it yourself \
         ({mend}), or choose another --name"
    )]
    Foreign {
        /// Its kind.
        kind: &'static str,
        /// Namespace and name.
        id: ObjectRef,
        /// What it says.
        there: String,
        /// A command.
        mend: String,
    },
    /// The exception is there with other labels.
    #[error(
        "exception {id} already exists, for pods labelled {there}; to change its labels: podid exception \
         update --namespace {} --name {} --pod-labels {wanted}", id.namespace, id.name
    )]
    OtherLabels {
        /// Namespace and name.
        id: ObjectRef,
        /// Its labels.
        there: String,
        /// Those that were asked for.
        wanted: String,
    },
    /// The cluster has as many as it may have.
    #[error(
        "the cluster has {there} {what}, and {limit} is the limit; delete one that nobody needs \
         ({list}), or raise the limit with {flag}"
    )]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many there are.
        there: usize,
        /// How many there may be.
        limit: usize,
        /// The command that lists them.
        list: &'static str,
        /// The flag that raises the limit.
        flag: &'static str,
    },
    /// There is no such pod identity.
    #[error("there is no pod identity {0}; see: podid list")]
    Unknown(ObjectRef),
    /// There is no such exception.
    #[error("there is no exception {0}; see: podid exception list")]
    UnknownException(ObjectRef),
    /// Somebody else made it.
    #[error(
        "{kind} {id} was not made by podid, so podid does not delete it; if you mean to: \
         kubectl delete {plural} {} --namespace {}", id.name, id.namespace
    )]
    NotOurs {
        /// Its kind.
        kind: &'static str,
        /// What kubectl calls it.
        plural: &'static str,
        /// Namespace and name.
        id: ObjectRef,
    },
}

// === impl Cluster ===

impl Cluster {
    /// The identity of that name.
    pub fn identity(&self, id: &ObjectRef) -> Option<&Held<Identity>> {
        self.identities.iter().find(|held| held.fact.id == *id)
    }

    /// The bindings that name the identity `id`, by namespace and name.
    pub fn bindings_of(&self, id: &ObjectRef) -> impl Iterator<Item = &Held<Binding>> {
        self.bindings.iter().filter(move |held| held.fact.identity_id() == *id)
    }
}

// === impl Display ===

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = |version: &Option<Arc<str>>| if version.is_some() { "update" } else { "create" };
        match self {
            Self::GrantRole { to, on } => {
                write!(f, "grant {} on {} to {to}", MANAGED_IDENTITY_OPERATOR.name, on.name())
            }
            Self::CreateNamespace { name } => write!(f, "create namespace {name}"),
            Self::WriteIdentity { id, version, .. } => {
                write!(f, "{} AzureIdentity {id}", verb(version))
            }
            Self::WriteBinding { id, selector, version, .. } => {
                write!(f, "{} AzureIdentityBinding {id} for pods labelled {selector}", verb(version))
            }
            Self::PutOnNodes { target, resource, stale: false } => {
                write!(f, "put {} on {}", resource.name(), target.name())
            }
            Self::PutOnNodes { target, resource, stale: true } => {
                write!(f, "put {} on {} anew, as it was made anew in Azure", resource.name(), target.name())
            }
            Self::DeleteBinding { id, .. } => write!(f, "delete AzureIdentityBinding {id}"),
            Self::TakeOffNodes { target, resource } => {
                write!(f, "take {} off {}", resource.name(), target.name())
            }
            Self::DeleteIdentity { id, .. } => write!(f, "delete AzureIdentity {id}"),
        }
    }
}
