//! Who uses which identity where, and how far did it get, by this `AzureAssignedIdentity`?

use k8s_openapi::jiff::Timestamp;
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
        created: object.metadata.creation_timestamp.as_ref().map(|time| -> Timestamp { time.0 }),
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
