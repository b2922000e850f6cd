//! How is a collection of objects called?

use std::borrow::Cow;
use std::fmt;

/// API group and plural name of one kind: the key of its collection in the [`Store`](super::Store).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Resource {
    group: Cow<'static, str>,
    plural: Cow<'static, str>,
}

/// Pods.
pub static PODS: Resource = Resource::new("", "pods");
/// Nodes.
pub static NODES: Resource = Resource::new("", "nodes");
/// Namespaces.
pub static NAMESPACES: Resource = Resource::new("", "namespaces");
/// Events in their core/v1 form; `events.k8s.io/v1` shows the same objects.
pub static EVENTS: Resource = Resource::new("", "events");
/// Secrets.
pub static SECRETS: Resource = Resource::new("", "secrets");
/// Config maps.
pub static CONFIG_MAPS: Resource = Resource::new("", "configmaps");
/// Service accounts.
pub static SERVICE_ACCOUNTS: Resource = Resource::new("", "serviceaccounts");
/// Endpoints.
pub static ENDPOINTS: Resource = Resource::new("", "endpoints");
/// Leases of leader election.
pub static LEASES: Resource = Resource::new("coordination.k8s.io", "leases");
/// Custom resource definitions; read only.
pub static CRDS: Resource = Resource::new("apiextensions.k8s.io", "customresourcedefinitions");

pub(crate) static EVENTS_K8S_IO: Resource = Resource::new("events.k8s.io", "events");

// === impl Resource ===

impl Resource {
    /// A resource by group (empty for core) and plural name.
    pub const fn new(group: &'static str, plural: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), plural: Cow::Borrowed(plural) }
    }

    /// A resource by names known only at run time.
    pub fn named(group: &str, plural: &str) -> Self {
        Self { group: Cow::Owned(group.to_owned()), plural: Cow::Owned(plural.to_owned()) }
    }

    /// The API group; empty for core.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The plural, lower-case name.
    pub fn plural(&self) -> &str {
        &self.plural
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}
