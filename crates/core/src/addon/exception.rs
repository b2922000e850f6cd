//! Which write makes an exception say what it should?

use std::fmt;
use std::sync::Arc;

use super::labels::{Labels, text};
use super::{Held, Place, Refusal};
use crate::facts::Exception;
use crate::ids::ObjectRef;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// That it is there; one with other labels is in the way.
    Add,
    /// That it says so from now on; it must be there.
    Update,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the namespace.
    CreateNamespace(Arc<str>),
    /// Create it, or change its labels; `version` is that of the one to change.
    Write {
        /// Namespace and name.
        id: ObjectRef,
        /// Its labels.
        labels: Labels,
        /// The version that is changed; none to create it.
        version: Option<Arc<str>>,
    },
    /// Delete it.
    Delete {
        /// Namespace and name.
        id: ObjectRef,
        /// The version that is deleted.
        version: Arc<str>,
    },
}

/// The steps to an exception `id` for pods with any of `labels`, given all `exceptions` of the cluster.
///
/// An update also changes what somebody else made: that is what it is asked for, and only labels change.
pub fn write(
    request: Request,
    id: &ObjectRef,
    labels: &Labels,
    place: Place,
    exceptions: &[Held<Exception>],
    limit: usize,
) -> Result<Vec<Step>, Refusal> {
    if place == Place::Terminating {
        return Err(Refusal::NamespaceGoing(id.namespace.clone()));
    }
    let found = exceptions.iter().find(|held| held.fact.id == *id);
    let version = match (found, request) {
        (Some(held), _) if held.terminating => {
            return Err(Refusal::Going { kind: "AzurePodIdentityException", id: id.clone() });
        }
        (Some(held), _) if held.fact.pod_labels == *labels => return Ok(Vec::new()),
        (Some(held), Request::Update) => Some(held.version.clone()),
        (Some(held), Request::Add) => {
            let (there, wanted) = (text(&held.fact.pod_labels), text(labels));
            return Err(Refusal::OtherLabels { id: id.clone(), there, wanted });
        }
        (None, Request::Update) => return Err(Refusal::UnknownException(id.clone())),
        (None, Request::Add) if exceptions.len() >= limit => {
            return Err(Refusal::Limit {
                what: "exceptions",
                there: exceptions.len(),
                limit,
                list: "podid exception list",
                flag: "--max-exceptions",
            });
        }
        (None, Request::Add) => None,
    };
    let namespace = (place == Place::Absent).then(|| Step::CreateNamespace(id.namespace.clone()));
    let write = Step::Write { id: id.clone(), labels: labels.clone(), version };
    Ok(namespace.into_iter().chain([write]).collect())
}

/// The steps that delete the exception `id`.
pub fn delete(id: &ObjectRef, exceptions: &[Held<Exception>]) -> Result<Vec<Step>, Refusal> {
    let found = exceptions.iter().find(|held| held.fact.id == *id);
    let held = found.ok_or_else(|| Refusal::UnknownException(id.clone()))?;
    if !held.ours {
        let (kind, plural) = ("AzurePodIdentityException", "azurepodidentityexception");
        return Err(Refusal::NotOurs { kind, plural, id: id.clone() });
    }
    let delete = Step::Delete { id: id.clone(), version: held.version.clone() };
    Ok(if held.terminating { Vec::new() } else { vec![delete] })
}

// === impl Display ===

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNamespace(name) => write!(f, "create namespace {name}"),
            Self::Write { id, version: None, .. } => write!(f, "create AzurePodIdentityException {id}"),
            Self::Write { id, .. } => write!(f, "update AzurePodIdentityException {id}"),
            Self::Delete { id, .. } => write!(f, "delete AzurePodIdentityException {id}"),
        }
    }
}
