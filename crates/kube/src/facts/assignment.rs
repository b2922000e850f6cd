//! Who uses which identity where, and how far did it get, by this `AzureAssignedIdentity`?

use podid_core::facts::{Assignment, AssignmentState};
use podid_core::ids::{NodeName, ObjectRef};
use serde::de::DeserializeOwned;

use super::{Unusable, filled, object_ref, uid};
use crate::crd::{AzureAssignedIdentity, Embedded, state};

/// The fact that `object` states.
pub fn assignment(object: &AzureAssignedIdentity) -> Result<Assignment, Unusable> {
    let spec = &object.spec;
    let pod = filled(spec.pod.as_deref()).ok_or(Unusable::Missing("spec.pod"))?;
    let namespace = filled(spec.pod_namespace.as_deref()).ok_or(Unusable::Missing("spec.podNamespace"))?;
    let node = filled(spec.nodename.as_deref()).ok_or(Unusable::Missing("spec.nodename"))?;
    Ok(Assignment {
        id: object_ref(&object.metadata)?,
        uid: uid(&object.metadata)?,
        pod: ObjectRef::new(namespace, pod),
        node: NodeName::new(node),
        identity: super::identity::copied(&read("spec.azureIdentityRef", spec.azure_identity_ref.as_ref())?)?,
        binding: super::binding::copied(&read("spec.azureBindingRef", spec.azure_binding_ref.as_ref())?)?,
        state: parse_state(object.status.as_ref().and_then(|status| status.status.as_deref()))?,
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        terminating: object.metadata.deletion_timestamp.is_some(),
    })
}

/// MIC ≤ 1.4 left the state empty when it had assigned (peer contract §1.4).
fn parse_state(text: Option<&str>) -> Result<AssignmentState, Unusable> {
    match text.unwrap_or_default() {
        "" | state::ASSIGNED => Ok(AssignmentState::Assigned),
        state::CREATED => Ok(AssignmentState::Created),
        state::UNASSIGNED => Ok(AssignmentState::Unassigned),
        other => Err(Unusable::State(other.to_owned())),
    }
}

fn read<K: DeserializeOwned>(field: &'static str, copy: Option<&Embedded>) -> Result<K, Unusable> {
    let copy = copy.ok_or(Unusable::Missing(field))?;
    K::deserialize(copy.json()).map_err(|error| Unusable::Copy { field, problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As MIC 1.8 wrote it: dead fields, `type` absent, empty metadata inside the specs.
    fn original() -> Value {
        json!({
            "apiVersion": "aadpodidentity.k8s.io/v1",
            "kind": "AzureAssignedIdentity",
            "metadata": {
                "name": "web-shop-id", "namespace": "default", "uid": "u9", "resourceVersion": "77",
                "creationTimestamp": "2023-10-01T10:00:00Z",
                "labels": {"nodename": "aks-1"},
                "finalizers": ["azureassignedidentity.finalizers.aadpodidentity.k8s.io"]
            },
            "spec": {
                "azureIdentityRef": {
                    "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
                    "metadata": {"name": "id", "namespace": "shop", "uid": "u1", "resourceVersion": "5", "creationTimestamp": "2023-10-01T09:00:00Z"},
                    "spec": {
                        "clientID": "c", "clientPassword": {}, "metadata": {"creationTimestamp": null},
                        "resourceID": "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app"
                    },
                    "status": {"metadata": {"creationTimestamp": null}}
                },
                "azureBindingRef": {
                    "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
                    "metadata": {"name": "b", "namespace": "shop", "uid": "u2", "resourceVersion": "6"},
                    "spec": {"azureIdentity": "id", "selector": "web", "metadata": {"creationTimestamp": null}}
                },
                "metadata": {"creationTimestamp": null},
                "nodename": "aks-1", "pod": "web", "podNamespace": "shop"
            },
            "status": {"availableReplicas": 1, "status": "Assigned", "metadata": {"creationTimestamp": null}}
        })
    }

    fn object(json: Value) -> AzureAssignedIdentity {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_the_original_wrote_is_understood() {
        let fact = assignment(&object(original())).unwrap();
        assert_eq!(fact.pod, ObjectRef::new("shop", "web"));
        assert_eq!(fact.node, NodeName::new("aks-1"));
        assert_eq!(fact.state, AssignmentState::Assigned);
        assert_eq!(fact.binding.selector.as_ref(), "web");
        assert!(fact.identity.kind.is_ok());
        assert!(!fact.terminating);
        assert_eq!(fact.created, Some("2023-10-01T10:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_copy_hashes_as_its_live_original() {
        let live = json!({
            "metadata": {"name": "id", "namespace": "shop", "uid": "u1"},
            "spec": {"type": 0, "clientID": "c", "resourceID": original()["spec"]["azureIdentityRef"]["spec"]["resourceID"]}
        });
        let live = crate::facts::identity(&serde_json::from_value(live).unwrap()).unwrap();
        assert_eq!(assignment(&object(original())).unwrap().identity, live);
    }

    #[test]
    fn states_are_spelled_exactly_and_none_means_assigned() {
        let cases = [
            (json!("Created"), Ok(AssignmentState::Created)),
            (json!("Assigned"), Ok(AssignmentState::Assigned)),
            (json!("Unassigned"), Ok(AssignmentState::Unassigned)),
            (json!(""), Ok(AssignmentState::Assigned)),
            (Value::Null, Ok(AssignmentState::Assigned)),
            (json!("assigned"), Err(Unusable::State("assigned".into()))),
        ];
        for (text, expected) in cases {
            let mut changed = original();
            changed["status"]["status"] = text.clone();
            assert_eq!(assignment(&object(changed)).map(|fact| fact.state), expected, "{text}");
        }
        let mut legacy = original();
        legacy.as_object_mut().unwrap().remove("status");
        assert_eq!(assignment(&object(legacy)).unwrap().state, AssignmentState::Assigned);
    }

    #[test]
    fn one_that_names_no_pod_or_carries_no_copy_is_unusable() {
        for field in ["pod", "podNamespace", "nodename", "azureIdentityRef", "azureBindingRef"] {
            let mut changed = original();
            changed["spec"].as_object_mut().unwrap().remove(field);
            assert!(
                matches!(assignment(&object(changed)), Err(Unusable::Missing(name)) if name.ends_with(field)),
                "{field}"
            );
        }
        let mut changed = original();
        changed["spec"]["azureIdentityRef"]["spec"]["type"] = json!("zero");
        assert!(matches!(
            assignment(&object(changed)),
            Err(Unusable::Copy { field: "spec.azureIdentityRef", .. })
        ));
    }
}
