//! What do the four custom resources look like, to people, to Rust and to the API server?
//!
//! Group, kinds, JSON keys, columns and the absence of a status subresource are those of
//! aad-pod-identity (peer contract §1), so that its objects, its clients and podid's share a cluster.
//! Every field is optional when read: what an old or careless object lacks is judged by
//! [`facts`](crate::facts), not by the parser.

mod assignment;
mod binding;
mod definition;
mod embedded;
mod exception;
mod identity;

pub use assignment::{AssignedStatus, AzureAssignedIdentity, AzureAssignedIdentitySpec, state};
pub use binding::{AzureIdentityBinding, AzureIdentityBindingSpec};
pub use definition::{REVISION, REVISION_ANNOTATION, definition, definitions};
pub use embedded::Embedded;
pub use exception::{AzurePodIdentityException, AzurePodIdentityExceptionSpec, ExceptionStatus};
pub use identity::{AzureIdentity, AzureIdentitySpec, SecretReference};

use podid_core::ids::NodeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// API group of the four kinds.
pub const GROUP: &str = "aadpodidentity.k8s.io";

/// Group and version, as in `apiVersion`.
pub const API_VERSION: &str = "aadpodidentity.k8s.io/v1";

/// Plural names of the kinds that standard mode needs.
pub const STANDARD: [&str; 4] =
    ["azureidentities", "azureidentitybindings", "azureassignedidentities", "azurepodidentityexceptions"];

/// Plural names of the kinds that managed mode needs.
pub const MANAGED: [&str; 3] = ["azureidentities", "azureidentitybindings", "azurepodidentityexceptions"];

/// Annotation that limits an `AzureIdentity` to pods of its own namespace if its value is `namespaced`.
pub const BEHAVIOR_ANNOTATION: &str = "aadpodidentity.k8s.io/Behavior";

/// Finalizer that MIC puts on an `AzureAssignedIdentity`.
pub const ASSIGNMENT_FINALIZER: &str = "azureassignedidentity.finalizers.aadpodidentity.k8s.io";

/// Label of an `AzureAssignedIdentity` that names its node, by which a node agent selects its own.
pub const NODE_LABEL: &str = "nodename";

/// The value of [`NODE_LABEL`] for `node`; none if its name is too long for a label, which the API
/// server would refuse together with the object (W-12).
pub fn label_value(node: &NodeName) -> Option<&str> {
    Some(node.as_str()).filter(|name| name.len() <= 63)
}

/// Has no effect; kept for objects that have it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnusedStatus {
    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_replicas: Option<i32>,
    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "definition::any_object")]
    pub metadata: Option<serde_json::Value>,
}
