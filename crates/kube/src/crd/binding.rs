//! What does an `AzureIdentityBinding` hold?
//!
//! Peer contract §1.3. Comments of fields are what `kubectl explain` prints.

// The derive macro repeats the struct inside a function, where nothing can reach it; and clippy takes
// the columns for one.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::UnusedStatus;
use super::definition::any_object;

/// Which pods may use which identity. Two bindings with the same selector give a pod two identities.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureIdentityBinding",
    plural = "azureidentitybindings",
    namespaced,
    status = "UnusedStatus",
    derive = "PartialEq",
    doc = "Lets pods with the label aadpodidbinding use an AzureIdentity of this namespace.",
    printcolumn(name = "AzureIdentity", type_ = "string", json_path = ".spec.azureIdentity"),
    printcolumn(name = "Selector", type_ = "string", json_path = ".spec.selector"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct AzureIdentityBindingSpec {
    /// Name of the AzureIdentity, always in the binding's own namespace.
    #[serde(rename = "azureIdentity", skip_serializing_if = "Option::is_none")]
    pub azure_identity: Option<String>,

    /// Value of the pod label `aadpodidbinding` that this binding matches, exactly and with case; such
    /// as `my-app`. It is not a label selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self != ''").message(
        "must not be empty: write the value that the pods' label aadpodidbinding has, such as my-app"
    ))]
    pub selector: Option<String>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}
