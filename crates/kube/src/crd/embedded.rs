//! How is an object carried inside another one, whole and unchanged?

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A full copy of an object, shared: cloning it copies no JSON.
///
/// MIC keeps one per identity and binding and puts it into every assignment that needs it.
/// Fields that podid does not know stay in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded(Arc<Value>);

// === impl Embedded ===

impl Embedded {
    /// The copy of `object` that an assignment carries.
    ///
    /// `managedFields` and kubectl's last-applied annotation are left out: they describe who edited
    /// the original and would be multiplied by every assignment (W-25).
    pub fn new(mut object: Value) -> Self {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
                if annotations.is_empty() {
                    metadata.remove("annotations");
                }
            }
        }
        Self(Arc::new(object))
    }

    /// The object as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Its `metadata.resourceVersion`, by which the original decides whether a copy is stale.
    pub fn resource_version(&self) -> Option<&str> {
        self.0.get("metadata")?.get("resourceVersion")?.as_str()
    }
}

impl Serialize for Embedded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Embedded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|object| Self(Arc::new(object)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// W-25.
    #[test]
    fn a_copy_keeps_everything_but_editing_history() {
        let copy = Embedded::new(json!({
            "apiVersion": "aadpodidentity.k8s.io/v1",
            "kind": "AzureIdentity",
            "metadata": {
                "name": "a",
                "resourceVersion": "7",
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {
                    "aadpodidentity.k8s.io/Behavior": "namespaced",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}"
                }
            },
            "spec": {"type": 0, "fromTheFuture": {"x": 1}}
        }));
        assert_eq!(
            copy.json(),
            &json!({
                "apiVersion": "aadpodidentity.k8s.io/v1",
                "kind": "AzureIdentity",
                "metadata": {
                    "name": "a",
                    "resourceVersion": "7",
                    "annotations": {"aadpodidentity.k8s.io/Behavior": "namespaced"}
                },
                "spec": {"type": 0, "fromTheFuture": {"x": 1}}
            })
        );
        assert_eq!(copy.resource_version(), Some("7"));
    }
}
