//! What does one line of the audit stream say?
//!
//! Never a token, a secret or a query. What a pod chose itself is cut and stripped of control characters.

use std::fmt::Display;
use std::net::IpAddr;

use jiff::Timestamp;
use podid_core::facts::IdentityKind;
use podid_core::ids::{IdentityResourceId, ObjectRef};
use podid_core::redact::Foreign;
use serde::{Serialize, Serializer};

use super::RequestId;

/// One request. Fields are written in this order; what is not known is left out.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    #[serde(serialize_with = "microseconds")]
    pub(crate) time: Timestamp,
    pub(crate) id: Shown<RequestId>,
    /// What the caller calls the request (`x-ms-client-request-id`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_request_id: Option<Shown<Foreign<'a>>>,
    pub(crate) peer: Shown<IpAddr>,
    pub(crate) method: &'a str,
    pub(crate) path: Shown<Foreign<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<Pod<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<Shown<Foreign<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Given<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binding: Option<Object<'a>>,
    /// How it ended, in a word.
    pub(crate) decision: &'static str,
    /// The word for why there is no token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    /// The sentence that the caller read, or what there is to say of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Shown<Foreign<'a>>>,
    pub(crate) status: u16,
    pub(crate) duration_us: u64,
    /// Whether the token was there without asking IMDS or Entra.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cached: Option<bool>,
}

/// A Kubernetes object.
#[derive(Serialize)]
pub(crate) struct Object<'a> {
    namespace: &'a str,
    name: &'a str,
}

/// The pod that asked, or for which the node asked.
#[derive(Serialize)]
pub(crate) struct Pod<'a> {
    #[serde(flatten)]
    id: Object<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
}

/// The identity that was chosen.
#[derive(Serialize)]
pub(crate) struct Given<'a> {
    #[serde(flatten)]
    id: Object<'a>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_id: Option<&'a str>,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
}

/// Written as it is displayed.
pub(crate) struct Shown<T>(pub(crate) T);

// === impl Object, Pod, Given, Shown ===

impl<'a> From<&'a ObjectRef> for Object<'a> {
    fn from(id: &'a ObjectRef) -> Self {
        Self { namespace: &id.namespace, name: &id.name }
    }
}

impl<'a> Pod<'a> {
    pub(crate) fn new(id: &'a ObjectRef, uid: Option<&'a str>) -> Self {
        Self { id: id.into(), uid }
    }
}

impl<'a> Given<'a> {
    pub(crate) fn new(id: &'a ObjectRef, kind: &'a IdentityKind) -> Self {
        let (word, tenant) = match kind {
            IdentityKind::Managed { .. } => ("managed-identity", None),
            IdentityKind::ServicePrincipal { tenant, .. } => ("service-principal", Some(&**tenant)),
        };
        Self {
            id: id.into(),
            kind: word,
            resource_id: kind.resource_id().map(IdentityResourceId::as_str),
            client_id: kind.client_id().as_str(),
            tenant,
        }
    }
}

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.6}"))
}
