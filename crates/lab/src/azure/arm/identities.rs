//! Which user-assigned managed identities exist? GET, PUT, DELETE and LIST of `userAssignedIdentities`.

use serde_json::{Value, json};

use super::authorize;
use super::error::{error, group_not_found, not_found};
use crate::azure::call::Call;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::directory::ManagedIdentity;
use crate::azure::token::Bearer;

const KIND: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

pub(super) fn list(state: &State, caller: &Bearer, scope: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), scope)?;
    let value: Vec<_> = state
        .identities
        .values()
        .filter(|identity| identity.id.is_within(scope))
        .map(|identity| view(state, identity))
        .collect();
    Ok(Reply::json(200, &json!({"value": value})))
}

pub(super) fn get(state: &State, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), id)?;
    let identity = state.identities.get(id).ok_or_else(|| not_found(id))?;
    Ok(Reply::json(200, &view(state, identity)))
}

pub(super) fn put(state: &mut State, call: &Call, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/write"), id)?;
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| error(400, "InvalidRequestContent", "The request content was invalid."))?;
    if !body["location"].is_string() {
        let message = "The location property is required for this definition.";
        return Err(error(400, "LocationRequired", message));
    }
    let group = ArmId::group(id.subscription_id().unwrap_or_default(), id.group_name().unwrap_or_default());
    if !state.groups.contains(&group) {
        return Err(group_not_found(group.name()));
    }
    let status = if state.identities.contains_key(id) { 200 } else { 201 };
    let identity = state.create_identity(id.clone());
    Ok(Reply::json(status, &view(state, &identity)).detail(identity.client_id))
}

pub(super) fn delete(state: &mut State, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/delete"), id)?;
    let status = if state.identities.remove(id).is_some() { 200 } else { 204 };
    Ok(Reply::empty(status))
}

fn view(state: &State, identity: &ManagedIdentity) -> Value {
    json!({
        "id": identity.id.as_compute_writes_it(),
        "name": identity.id.name(),
        "type": KIND,
        "location": state.settings.location,
        "tags": {},
        "properties": {
            "tenantId": state.settings.tenant,
            "principalId": identity.principal_id,
            "clientId": identity.client_id,
        },
    })
}
