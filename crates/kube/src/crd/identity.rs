//! What does an `AzureIdentity` hold?
//!
//! Peer contract §1.2. Comments of fields are what `kubectl explain` prints.

// The derive macro repeats the struct inside a function, where nothing can reach it; and clippy takes
// the columns for one.
#![allow(unreachable_pub, clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnusedStatus;
use super::definition::any_object;

/// Which identity it is, and for a service principal where its credential is.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "aadpodidentity.k8s.io",
    version = "v1",
    kind = "AzureIdentity",
    plural = "azureidentities",
    namespaced,
    status = "UnusedStatus",
    derive = "PartialEq",
    doc = "An identity in Microsoft Entra that pods may be bound to by an AzureIdentityBinding.",
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "ClientID", type_ = "string", json_path = ".spec.clientID"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct AzureIdentitySpec {
    /// Kind of identity: 0 user-assigned managed identity (also when absent), 1 service principal
    /// with a client secret, 2 service principal with a certificate.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self >= 0 && self <= 2").message(
        "must be 0 (user-assigned managed identity), 1 (service principal with client secret) or 2 (service principal with certificate)"
    ))]
    pub type_: Option<i64>,

    /// ARM id of the managed identity, as `az identity show --query id` prints it:
    /// `/subscriptions/…/resourceGroups/…/providers/Microsoft.ManagedIdentity/userAssignedIdentities/…`.
    /// Needed for type 0, unused otherwise.
    #[serde(rename = "resourceID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(
        "self == '' || self.matches(r'(?i)^/subscriptions/[\\p{L}\\p{N}_.()-]+/resourcegroups/[\\p{L}\\p{N}_.()-]+/providers/Microsoft\\.ManagedIdentity/userAssignedIdentities/[\\p{L}\\p{N}_.()-]+$')"
    ).message(
        "must be /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME, as 'az identity show --query id' prints it"
    ))]
    pub resource_id: Option<String>,

    /// Client (application) id of the identity, as `az identity show --query clientId` prints it.
    /// Needed for all types.
    #[serde(rename = "clientID", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,

    /// Secret with the credential of a service principal. Type 1: key `clientSecret`, or the only key.
    /// Type 2: key `certificate`, and `password` if it has one. Needed for types 1 and 2, unused for 0.
    #[serde(rename = "clientPassword", skip_serializing_if = "Option::is_none")]
    pub client_password: Option<SecretReference>,

    /// Tenant of a service principal: a GUID, or a domain such as `contoso.onmicrosoft.com`. Needed for
    /// types 1 and 2, unused for 0.
    #[serde(rename = "tenantID", skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,

    /// Further tenants that the token is for; only for type 1.
    #[serde(rename = "auxiliaryTenantIDs", skip_serializing_if = "Option::is_none")]
    pub auxiliary_tenant_ids: Option<Vec<String>>,

    /// Has no effect; kept for objects that have it.
    #[serde(rename = "adResourceID", skip_serializing_if = "Option::is_none")]
    pub ad_resource_id: Option<String>,

    /// Authority to ask instead of the cloud's own, such as `https://login.microsoftonline.us/`. NMI asks
    /// known Azure clouds and the hosts of its flag `--allowed-authority` only; unused for type 0.
    #[serde(rename = "adEndpoint", skip_serializing_if = "Option::is_none")]
    pub ad_endpoint: Option<String>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,

    /// Has no effect; kept for objects that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub metadata: Option<serde_json::Value>,
}

/// Which Secret is meant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct SecretReference {
    /// Name of the Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of the Secret: the identity's own, also when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
