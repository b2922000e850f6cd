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
    NODE_LABEL, state,
};
use crate::facts;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Longest value that a label may have.
const LONGEST_LABEL: usize = 63;

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

/// Removes an assignment whose identity is off its VM or scale set: state `Unassigned` and the
/// finalizer gone in one write, then deleted. It is done when the object is gone, whoever did it;
/// with `uid`, another object of the same name is left alone.
pub async fn delete(client: &Client, id: &ObjectRef, uid: Option<&Uid>) -> Result<(), CallError> {
    let metadata = match uid {
        None => json!({"finalizers": null}),
        // The API server refuses to change a uid, so this is a condition.
        Some(uid) => json!({"finalizers": null, "uid": uid.as_str()}),
    };
    let release = json!({"metadata": metadata, "status": {"status": state::UNASSIGNED}});
    let result = match merge_patch(client, id, release).await {
        Ok(()) => delete_object(client, id, uid).await,
        Err(error) => Err(error),
    };
    match result {
        Err(CallError::Absent { .. }) => Ok(()),
        Err(CallError::Conflict { .. }) if uid.is_some() => Ok(()),
        result => result,
    }
}

async fn delete_object(client: &Client, id: &ObjectRef, uid: Option<&Uid>) -> Result<(), CallError> {
    let preconditions =
        uid.map(|uid| Preconditions { uid: Some(uid.as_str().to_owned()), resource_version: None });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    let api = assignments(client, id);
    bounded(|| format!("delete AzureAssignedIdentity {id}"), LIMIT, async {
        api.delete(&id.name, &params).await.map(drop)
    })
    .await
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
        let node = self.node.as_str();
        // A longer value would be refused, and the object with it (W-12); the original's node agent
        // does not find it without the label, ours asks for `spec.nodename` then.
        let labels =
            (node.len() <= LONGEST_LABEL).then(|| BTreeMap::from([(NODE_LABEL.to_owned(), node.to_owned())]));
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
                nodename: Some(node.to_owned()),
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
