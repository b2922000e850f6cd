//! How does an object become a fact while it is read?
//!
//! A list of hundreds of objects is decoded as a whole. Converting each one as it is decoded keeps
//! only facts of it, and one that cannot be read spoils neither the list nor the watch.

use std::borrow::Cow;
use std::sync::Arc;

use kube::Resource;
use kube::core::ObjectMeta;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::fact::Fact;

/// What is left of an object after it was read: its name and version, and its fact or what is wrong.
#[derive(Debug)]
pub(super) struct Parsed<F> {
    pub(super) metadata: ObjectMeta,
    pub(super) fact: Result<Arc<F>, String>,
}

// === impl Parsed ===

impl<F> Clone for Parsed<F> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), fact: self.fact.clone() }
    }
}

impl<'de, F: Fact> Deserialize<'de> for Parsed<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Value::deserialize(deserializer)?;
        if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        // A resource without a spec is allowed by the schema; its fields are absent then.
        if let Some(object) = json.as_object_mut() {
            let spec = object.entry("spec").or_insert(Value::Null);
            if spec.is_null() {
                *spec = json!({});
            }
        }
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let metadata = ObjectMeta {
            name: text("/metadata/name"),
            namespace: text("/metadata/namespace"),
            resource_version: text("/metadata/resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, fact: F::parse(json).map(Arc::new) })
    }
}

impl<F: Fact> Resource for Parsed<F> {
    type DynamicType = ();
    type Scope = <F::Object as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        F::Object::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        F::Object::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        F::Object::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        F::Object::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
