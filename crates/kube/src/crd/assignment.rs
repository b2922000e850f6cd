//! What does an `AzureAssignedIdentity` hold?
//!
//! Peer contract §1.4. Comments of fields are what `kubectl explain` prints.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::{any_object, embedded_binding, embedded_identity};
use super::embedded::Embedded;

/// The states of an assignment, as they are spelled in `status.status`.
pub mod state {
    /// Recorded; the VM or scale set is not yet written.
    pub const CREATED: &str = "Created";
    /// The VM or scale set has the identity.
    pub const ASSIGNED: &str = "Assigned";
    /// The VM or scale set no longer has it.
    pub const UNASSIGNED: &str = "Unassigned";
}

/// Which pod, on which node, uses which identity, by which binding.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureAssignedIdentity",
    plural = "azureassignedidentities",
    namespaced,
    status = "AssignedStatus",
    derive = "PartialEq",
    doc = "Records that a pod on a node uses an identity. MIC writes it and NMI reads it; do not write one by hand."
)]
pub struct AzureAssignedIdentitySpec {
    /// Full copy of the AzureIdentity as it was when it was assigned. NMI of podid serves the identity as
    /// it is now; that of aad-pod-identity reads this copy.
    #[serde(rename = "azureIdentityRef", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded_identity")]
    pub azure_identity_ref: Option<Embedded>,

    /// Full copy of the AzureIdentityBinding that grants it.
    #[serde(rename = "azureBindingRef", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "embedded_binding")]
    pub azure_binding_ref: Option<Embedded>,

    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,

    /// Namespace of the pod.
    #[serde(rename = "podNamespace", skip_serializing_if = "Option::is_none")]
    pub pod_namespace: Option<String>,

    /// Name of the node that the pod runs on. The label `nodename` repeats it, by which each NMI
    /// selects its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodename: Option<String>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}

/// How far an assignment got.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignedStatus {
    /// `Created`: recorded, the VM or scale set is being written. `Assigned`: the pod can get tokens;
    /// also when empty. `Unassigned`: the identity was taken off, the record is about to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Always 1; has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_replicas: Option<i32>,
    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}
