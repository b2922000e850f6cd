//! What does an object say to somebody who adopts its cluster?

use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt;
use podid_core::adopt::{Identity, Pod, Record, RecordState};
use podid_core::ids::{NodeName, ObjectRef};
use serde_json::Value;

use crate::crd::{AzureAssignedIdentity, AzureIdentity, Embedded, state};
use crate::facts::{self, filled};

pub(super) fn pod(object: &core::Pod) -> Option<Pod> {
    let owner = object.owner_references().iter().find(|owner| owner.kind.eq_ignore_ascii_case("ReplicaSet"));
    let replica_set = owner.map(|owner| owner.name.as_str().into());
    Some(Pod { fact: facts::pod(object).ok()?, replica_set })
}

pub(crate) fn identity(object: &AzureIdentity) -> Option<Identity> {
    let fact = facts::identity(object).ok()?;
    let spec = &object.spec;
    let secret = spec.client_password.as_ref().and_then(|reference| {
        let namespace = filled(reference.namespace.as_deref()).unwrap_or(&fact.id.namespace);
        Some(ObjectRef::new(namespace, filled(reference.name.as_deref())?))
    });
    Some(Identity {
        type_: spec.type_.unwrap_or(0),
        secret,
        authority: filled(spec.ad_endpoint.as_deref()).map(Into::into),
        auxiliary_tenants: spec.auxiliary_tenant_ids.iter().flatten().count(),
        fact,
    })
}

pub(super) fn record(object: &AzureAssignedIdentity) -> Option<Record> {
    let spec = &object.spec;
    let pod = filled(spec.pod_namespace.as_deref()).zip(filled(spec.pod.as_deref()));
    let text = object.status.as_ref().and_then(|status| status.status.as_deref());
    Some(Record {
        id: ObjectRef::new(object.namespace()?, object.name_any()),
        unusable: facts::assignment(object).err().map(|why| why.to_string()),
        pod: pod.map(|(namespace, name)| ObjectRef::new(namespace, name)),
        node: filled(spec.nodename.as_deref()).map(NodeName::new),
        identity: spec.azure_identity_ref.as_ref().and_then(named),
        state: match text.unwrap_or_default() {
            "" => RecordState::Empty,
            state::CREATED => RecordState::Created,
            state::ASSIGNED => RecordState::Assigned,
            state::UNASSIGNED => RecordState::Unassigned,
            _ => RecordState::Unknown,
        },
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        terminating: object.metadata.deletion_timestamp.is_some(),
    })
}

/// Namespace and name of what a copy is a copy of.
fn named(copy: &Embedded) -> Option<ObjectRef> {
    let text = |key| filled(copy.json().pointer(key).and_then(Value::as_str));
    Some(ObjectRef::new(text("/metadata/namespace")?, text("/metadata/name")?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn however_odd_a_record_is_it_is_seen_and_says_what_is_wrong() {
        let odd = json!({
            "metadata": {"name": "r", "namespace": "default", "deletionTimestamp": "2026-11-24T10:00:00Z"},
            "spec": {"azureIdentityRef": {"metadata": {"name": "id", "namespace": "shop"}}},
            "status": {"status": "assigned"}
        });
        let record = record(&serde_json::from_value(odd).unwrap()).unwrap();
        assert_eq!((record.state, record.terminating), (RecordState::Unknown, true));
        assert_eq!((record.pod, record.identity), (None, Some(ObjectRef::new("shop", "id"))));
        assert_eq!(record.unusable.as_deref(), Some("spec.pod is missing"));
    }

    #[test]
    fn a_secret_of_another_namespace_is_found_where_it_is() {
        let one = |reference| {
            let object = json!({
                "metadata": {"name": "id", "namespace": "shop", "uid": "u"},
                "spec": {"type": 1, "clientPassword": reference, "auxiliaryTenantIDs": ["a", "b"]}
            });
            identity(&serde_json::from_value(object).unwrap()).unwrap()
        };
        let elsewhere = one(json!({"name": "s", "namespace": "vault"}));
        assert_eq!(elsewhere.secret, Some(ObjectRef::new("vault", "s")));
        assert_eq!((elsewhere.type_, elsewhere.auxiliary_tenants), (1, 2));
        assert_eq!(one(json!({"name": "s"})).secret, Some(ObjectRef::new("shop", "s")));
        assert_eq!(one(json!({})).secret, None);
    }

    #[test]
    fn only_a_replica_set_counts_as_the_owner() {
        let owned = |kind: &str| {
            let object = json!({
                "metadata": {"name": "p", "namespace": "n", "uid": "u", "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": kind, "name": "mic-1", "uid": "x"}
                ]}
            });
            pod(&serde_json::from_value(object).unwrap()).unwrap().replica_set
        };
        assert_eq!(owned("ReplicaSet").as_deref(), Some("mic-1"));
        assert_eq!(owned("Job"), None);
    }
}
