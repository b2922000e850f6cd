//! How does MIC write down who uses which identity?
//!
//! The calls on `AzureAssignedIdentity` objects. Status is written through the main resource: there
//! is no status subresource (peer contract §1.1). Each call has a timeout and is made once; the
//! caller's worker decides about a second attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use podid_core::facts::{Assignment, AssignmentState};
use podid_core::ids::{NodeName, ObjectRef, Uid};
use serde_json::{Value, json};

use crate::call::{CallError, bounded};
use crate::crd::{
    ASSIGNMENT_FINALIZER, AssignedStatus, AzureAssignedIdentity, AzureAssignedIdentitySpec, Embedded,
    NODE_LABEL, label_value, state,
};
use crate::facts;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Record {
    /// Namespace and name of the assignment.
    pub id: ObjectRef,
    /// The pod that uses the identity.
    pub pod: ObjectRef,
    /// The node that the pod runs on.
    pub node: NodeName,
    /// Copy of the identity.
    pub identity: Embedded,
    /// Copy of the binding.
    pub binding: Embedded,
    /// How far it got already: an identity that is on the node's VM or scale set needs no second write.
    pub state: AssignmentState,
}

/// Creates the assignment. [`CallError::Conflict`] if there is one of that name.
pub async fn create_assignment(client: &Client, record: &Record) -> Result<Assignment, CallError> {
    let what = || format!("create AzureAssignedIdentity {}", record.id);
    let api = assignments(client, &record.id);
    let created =
        bounded(what, LIMIT, async { api.create(&PostParams::default(), &record.object()).await }).await?;
    facts::assignment(&created)
        .map_err(|error| CallError::Refused { what: what(), problem: format!("stored otherwise: {error}") })
}

/// Gives an existing assignment the copies, the node and the state of `record`.
pub async fn renew_assignment(client: &Client, record: &Record) -> Result<(), CallError> {
    let object = record.object();
    // `add` replaces what is there as a whole; a merge would keep fields that the new copy lacks.
    let changes = json!([
        {"op": "add", "path": "/metadata/labels", "value": object.metadata.labels.unwrap_or_default()},
        {"op": "add", "path": "/spec", "value": object.spec},
        {"op": "add", "path": "/status", "value": object.status},
    ]);
    json_patch(client, &record.id, changes).await
}

/// Writes the state of an assignment.
pub async fn mark(client: &Client, id: &ObjectRef, state: AssignmentState) -> Result<(), CallError> {
    let state = spell(state);
    match json_patch(client, id, json!([{"op": "replace", "path": "/status/status", "value": state}])).await {
        // The path does not exist: MIC ≤ 1.4 wrote no status.
        Err(CallError::Refused { .. }) => merge_patch(client, id, json!({"status": {"status": state}})).await,
        result => result,
    }
}

/// Removes an assignment whose identity is off its VM or scale set, in two calls: deletion, which the
/// finalizer delays, and then the finalizer. It is done when the object is gone, whoever did it; with
/// `uid`, another object of the same name is left alone.
pub async fn delete(client: &Client, id: &ObjectRef, uid: Option<&Uid>) -> Result<(), CallError> {
    let result = match request_deletion(client, id, uid).await {
        // A condition that only the deletion has: what is there now is another object.
        Err(CallError::Conflict { .. }) if uid.is_some() => return Ok(()),
        Err(error) => Err(error),
        Ok(()) => merge_patch(client, id, json!({"metadata": {"finalizers": null}})).await,
    };
    match result {
        Err(CallError::Absent { .. }) => Ok(()),
        result => result,
    }
}

async fn request_deletion(client: &Client, id: &ObjectRef, uid: Option<&Uid>) -> Result<(), CallError> {
    let preconditions =
        uid.map(|uid| Preconditions { uid: Some(uid.as_str().to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    let api = assignments(client, id);
    let what = || format!("delete AzureAssignedIdentity {id}");
    bounded(what, LIMIT, async { api.delete(&id.name, &params).await.map(drop) }).await
}

async fn json_patch(client: &Client, id: &ObjectRef, changes: Value) -> Result<(), CallError> {
    let what = || format!("update AzureAssignedIdentity {id}");
    let changes = serde_json::from_value(changes)
        .map_err(|error| CallError::Refused { what: what(), problem: error.to_string() })?;
    patch(client, id, &Patch::Json::<()>(changes)).await
}

async fn merge_patch(client: &Client, id: &ObjectRef, change: Value) -> Result<(), CallError> {
    patch(client, id, &Patch::Merge(change)).await
}

async fn patch<P: serde::Serialize + std::fmt::Debug>(
    client: &Client,
    id: &ObjectRef,
    patch: &Patch<P>,
) -> Result<(), CallError> {
    let api = assignments(client, id);
    bounded(|| format!("update AzureAssignedIdentity {id}"), LIMIT, async {
        api.patch(&id.name, &PatchParams::default(), patch).await.map(drop)
    })
    .await
}

fn assignments(client: &Client, id: &ObjectRef) -> Api<AzureAssignedIdentity> {
    Api::namespaced(client.clone(), &id.namespace)
}

fn spell(state: AssignmentState) -> &'static str {
    match state {
        AssignmentState::Created => state::CREATED,
        AssignmentState::Assigned => state::ASSIGNED,
        AssignmentState::Unassigned => state::UNASSIGNED,
    }
}

// === impl Record ===

impl Record {
    fn object(&self) -> AzureAssignedIdentity {
        let labels =
            label_value(&self.node).map(|value| BTreeMap::from([(NODE_LABEL.to_owned(), value.to_owned())]));
        AzureAssignedIdentity {
            metadata: ObjectMeta {
                name: Some(self.id.name.to_string()),
                namespace: Some(self.id.namespace.to_string()),
                labels,
                finalizers: Some(vec![ASSIGNMENT_FINALIZER.to_owned()]),
                ..ObjectMeta::default()
            },
            spec: AzureAssignedIdentitySpec {
                azure_identity_ref: Some(self.identity.clone()),
                azure_binding_ref: Some(self.binding.clone()),
                pod: Some(self.pod.name.to_string()),
                pod_namespace: Some(self.pod.namespace.to_string()),
                nodename: Some(self.node.to_string()),
                ..AzureAssignedIdentitySpec::default()
            },
            status: Some(AssignedStatus {
                status: Some(spell(self.state).to_owned()),
                available_replicas: Some(1),
                metadata: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Store;

    const PATH: &str =
        "/apis/aadpodidentity.k8s.io/v1/namespaces/default/azureassignedidentities/web-shop-id";

    fn record(resource_id: &str) -> Record {
        let identity = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
            "metadata": {"name": "id", "namespace": "shop", "uid": "u1", "resourceVersion": "12", "annotations": {"x": "1"}},
            "spec": {"resourceID": resource_id, "clientID": "c"}
        });
        let binding = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
            "metadata": {"name": "b", "namespace": "shop", "uid": "u2", "resourceVersion": "13"},
            "spec": {"azureIdentity": "id", "selector": "web"}
        });
        Record {
            id: ObjectRef::new("default", "web-shop-id"),
            pod: ObjectRef::new("shop", "web"),
            node: NodeName::new("aks-1"),
            identity: Embedded::new(identity),
            binding: Embedded::new(binding),
            state: AssignmentState::Created,
        }
    }

    #[tokio::test]
    async fn a_record_is_what_the_original_would_have_written() {
        let store = Store::default();
        let made = create_assignment(&store.client(), &record("/r")).await.unwrap();
        assert_eq!((made.state, made.pod), (AssignmentState::Created, ObjectRef::new("shop", "web")));
        let mut object = store.get(PATH).unwrap();
        object["metadata"].as_object_mut().unwrap().retain(|key, _| key != "uid" && key != "resourceVersion");
        insta::assert_json_snapshot!(object);
    }

    #[tokio::test]
    async fn an_identity_that_is_already_there_is_recorded_as_assigned_in_one_call() {
        let (store, mut record) = (Store::default(), record("/r"));
        record.state = AssignmentState::Assigned;
        create_assignment(&store.client(), &record).await.unwrap();
        assert_eq!(store.get(PATH).unwrap()["status"]["status"], "Assigned");
        assert_eq!(store.calls().len(), 1);
    }

    #[tokio::test]
    async fn a_second_record_of_the_same_name_is_a_conflict() {
        let (store, record) = (Store::default(), record("/r"));
        create_assignment(&store.client(), &record).await.unwrap();
        let again = create_assignment(&store.client(), &record).await;
        assert!(matches!(again, Err(CallError::Conflict { .. })));
    }

    #[tokio::test]
    async fn a_node_name_too_long_for_a_label_still_gets_its_record() {
        let (store, mut record) = (Store::default(), record("/r"));
        record.node = NodeName::new("n".repeat(64));
        create_assignment(&store.client(), &record).await.unwrap();
        let object = store.get(PATH).unwrap();
        assert!(object["metadata"]["labels"].is_null());
        assert_eq!(object["spec"]["nodename"], "n".repeat(64));
    }

    /// W-63.
    #[tokio::test]
    async fn marking_is_one_json_patch_and_works_without_a_status_too() {
        let (store, record) = (Store::default(), record("/r"));
        let client = store.client();
        create_assignment(&client, &record).await.unwrap();
        mark(&client, &record.id, AssignmentState::Assigned).await.unwrap();
        assert_eq!(store.get(PATH).unwrap()["status"], json!({"status": "Assigned", "availableReplicas": 1}));
        assert_eq!(store.calls().len(), 2);

        let mut legacy = store.get(PATH).unwrap();
        legacy.as_object_mut().unwrap().remove("status");
        store.put(PATH, legacy);
        mark(&client, &record.id, AssignmentState::Unassigned).await.unwrap();
        assert_eq!(store.get(PATH).unwrap()["status"]["status"], "Unassigned");
    }

    #[tokio::test]
    async fn renewing_replaces_copies_whole_and_starts_over() {
        let store = Store::default();
        let client = store.client();
        create_assignment(&client, &record("/old")).await.unwrap();
        mark(&client, &record("/old").id, AssignmentState::Assigned).await.unwrap();
        let mut changed = record("/new");
        let mut copy = changed.identity.json().clone();
        copy["metadata"].as_object_mut().unwrap().remove("annotations");
        changed.identity = Embedded::new(copy.clone());
        renew_assignment(&client, &changed).await.unwrap();
        let object = store.get(PATH).unwrap();
        assert_eq!(object["spec"]["azureIdentityRef"], copy);
        assert_eq!(object["status"]["status"], "Created");
        assert!(!object["metadata"]["finalizers"].is_null());
    }

    #[tokio::test]
    async fn deleting_takes_two_calls_and_spares_a_namesake() {
        let (store, record) = (Store::default(), record("/r"));
        let client = store.client();
        let made = create_assignment(&client, &record).await.unwrap();
        delete(&client, &record.id, Some(&Uid::new("somebody-else"))).await.unwrap();
        assert!(!store.get(PATH).unwrap()["metadata"]["finalizers"].is_null());
        let before = store.calls().len();
        delete(&client, &record.id, Some(&made.uid)).await.unwrap();
        assert_eq!((store.get(PATH), store.calls().len() - before), (None, 2));
        delete(&client, &record.id, None).await.unwrap();
    }

    #[tokio::test]
    async fn an_assignment_that_is_already_being_deleted_goes_when_its_finalizer_does() {
        let (store, record) = (Store::default(), record("/r"));
        let client = store.client();
        let made = create_assignment(&client, &record).await.unwrap();
        let mut object = store.get(PATH).unwrap();
        object["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
        store.put(PATH, object);
        delete(&client, &record.id, Some(&made.uid)).await.unwrap();
        assert_eq!(store.get(PATH), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_holds_nobody_up() {
        let store = Store::default();
        let link = store.link();
        link.cut();
        let result = create_assignment(&link.client, &record("/r")).await;
        assert!(matches!(result, Err(CallError::Unavailable { .. })));
    }
}
