//! Which objects can be watched, and which fact does each give?

use std::fmt::Debug;
use std::hash::Hash;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use kube::Resource;
use kube::core::ObjectMeta;
use podid_core::facts::{Assignment, Binding, DaemonSet, Exception, Identity, Node, Pod};
use podid_core::ids::{NodeName, ObjectRef};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::crd::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException, Embedded,
};
use crate::facts;

/// A fact that can be watched.
pub trait Fact: Debug + PartialEq + Send + Sync + Sized + 'static {
    /// The objects that give it.
    type Object: Resource<DynamicType = ()> + DeserializeOwned + 'static;
    /// What tells one object from another.
    type Key: Clone + Debug + Eq + Ord + Hash + Send + Sync;
    /// Kind of the objects, for messages.
    const KIND: &'static str;

    /// The key of the object with `metadata`; none if it has no name.
    fn key(metadata: &ObjectMeta) -> Option<Self::Key>;

    /// The fact that the object `json` states, or what is wrong with it.
    fn parse(json: Value) -> Result<Self, String>;
}

/// A fact together with a full copy of the object that states it.
///
/// It changes also where the fact does not: a label edit gives another copy.
#[derive(Debug, PartialEq)]
pub struct Original<F> {
    /// What decisions use.
    pub fact: F,
    /// What an assignment carries.
    pub copy: Embedded,
}

// === impl Fact ===

macro_rules! watched {
    ($fact:ty, $object:ty, $key:ident = $name:expr, $kind:literal, $convert:path) => {
        impl Fact for $fact {
            type Object = $object;
            type Key = $key;
            const KIND: &'static str = $kind;

            fn key(metadata: &ObjectMeta) -> Option<$key> {
                $name(metadata)
            }

            fn parse(json: Value) -> Result<Self, String> {
                let object: $object = serde_json::from_value(json).map_err(|error| error.to_string())?;
                $convert(&object).map_err(|error| error.to_string())
            }
        }
    };
}

watched!(Pod, core::Pod, ObjectRef = namespaced, "Pod", facts::pod);
watched!(Node, core::Node, NodeName = cluster_scoped, "Node", facts::node);
watched!(DaemonSet, apps::DaemonSet, ObjectRef = namespaced, "DaemonSet", facts::daemon_set);
watched!(Identity, AzureIdentity, ObjectRef = namespaced, "AzureIdentity", facts::identity);
watched!(Binding, AzureIdentityBinding, ObjectRef = namespaced, "AzureIdentityBinding", facts::binding);
watched!(
    Assignment,
    AzureAssignedIdentity,
    ObjectRef = namespaced,
    "AzureAssignedIdentity",
    facts::assignment
);
watched!(
    Exception,
    AzurePodIdentityException,
    ObjectRef = namespaced,
    "AzurePodIdentityException",
    facts::exception
);

impl<F: Fact> Fact for Original<F> {
    type Object = F::Object;
    type Key = F::Key;
    const KIND: &'static str = F::KIND;

    fn key(metadata: &ObjectMeta) -> Option<F::Key> {
        F::key(metadata)
    }

    fn parse(mut json: Value) -> Result<Self, String> {
        // Items of a list carry neither, and a copy without them is no embedded resource.
        if let Some(object) = json.as_object_mut() {
            object.insert("apiVersion".to_owned(), F::Object::api_version(&()).into());
            object.insert("kind".to_owned(), F::Object::kind(&()).into());
        }
        let fact = F::parse(json.clone())?;
        Ok(Self { fact, copy: Embedded::new(json) })
    }
}

fn namespaced(metadata: &ObjectMeta) -> Option<ObjectRef> {
    Some(ObjectRef::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}

fn cluster_scoped(metadata: &ObjectMeta) -> Option<NodeName> {
    metadata.name.as_deref().map(NodeName::new)
}
