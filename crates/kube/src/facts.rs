//! What does an object say, in the terms of decisions?
//!
//! Pure conversions from Kubernetes objects to [`podid_core::facts`]. An object that cannot be one
//! (no uid, an unknown state) gives [`Unusable`]; an `AzureIdentity` whose *spec* is wrong still is a
//! fact, whose kind says what is wrong, so that its owner can be told.

mod assignment;
mod binding;
mod daemon_set;
mod exception;
mod hash;
mod identity;
mod node;
mod pod;

pub use assignment::assignment;
pub use binding::binding;
pub use daemon_set::daemon_set;
pub use exception::exception;
pub use identity::identity;
pub use node::node;
pub use pod::pod;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use podid_core::ids::{ObjectRef, Uid};

/// Why an object gives no fact. It is reported and left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A field without which the object means nothing is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// `status.status` of an assignment is none of the known states.
    #[error("status.status {0:?} is unknown; expected Created, Assigned or Unassigned")]
    State(String),
    /// A copy inside the object cannot be read.
    #[error("{field} cannot be read: {problem}")]
    Copy {
        /// Which copy.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Namespace and name, which every namespaced object has.
fn object_ref(metadata: &ObjectMeta) -> Result<ObjectRef, Unusable> {
    let namespace = filled(metadata.namespace.as_deref()).ok_or(Unusable::Missing("metadata.namespace"))?;
    let name = filled(metadata.name.as_deref()).ok_or(Unusable::Missing("metadata.name"))?;
    Ok(ObjectRef::new(namespace, name))
}

fn uid(metadata: &ObjectMeta) -> Result<Uid, Unusable> {
    filled(metadata.uid.as_deref()).map(Uid::new).ok_or(Unusable::Missing("metadata.uid"))
}

/// An empty text means the same as none: Go clients write either.
pub(crate) fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
