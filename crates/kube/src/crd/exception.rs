//! What does an `AzurePodIdentityException` hold?
//!
//! Peer contract §1.5. Comments of fields are what `kubectl explain` prints.

// The derive macro repeats the struct inside a function, where nothing can reach it.
#![allow(unreachable_pub)]

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::definition::any_object;

/// Which pods are excepted. They get tokens of every identity on their node.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzurePodIdentityException",
    plural = "azurepodidentityexceptions",
    namespaced,
    status = "ExceptionStatus",
    derive = "PartialEq",
    doc = "Lets pods of this namespace talk to the instance metadata service as their node does."
)]
pub struct AzurePodIdentityExceptionSpec {
    /// A pod of this namespace is excepted if it has any one of these labels, such as `app: my-app`; the
    /// value is compared without case.
    #[serde(rename = "podLabels", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("size(self) > 0").message(
        "must have at least one label, such as app: my-app; a pod is excepted when it has any one of them"
    ))]
    pub pod_labels: Option<BTreeMap<String, String>>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}

/// Has no effect; kept for objects that have it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct ExceptionStatus {
    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}
