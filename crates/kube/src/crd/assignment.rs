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

/// MIC's record that a pod on a node uses an identity.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureAssignedIdentity",
    plural = "azureassignedidentities",
    namespaced,
    status = "AssignedStatus",
    derive = "PartialEq",
    doc = "Records that a pod on a node uses an identity. Written by MIC only, read by NMI."
)]
pub struct AzureAssignedIdentitySpec {
    /// Full copy of the AzureIdentity as it was when it was assigned.
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

    /// Name of the node that the pod runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodename: Option<String>,

    /// Has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}

/// How far an assignment got.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignedStatus {
    /// `Created`, `Assigned` or `Unassigned`; empty means assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// 1 since its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_replicas: Option<i32>,
    /// Has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}
