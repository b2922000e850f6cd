//! Which subscriptions and resource groups does a caller see?

use serde_json::{Value, json};

use super::authorize;
use super::error::{error, group_not_found};
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::token::Bearer;

/// The subscriptions in which the caller has any role.
pub(super) fn list(state: &State, caller: &Bearer) -> Reply {
    let seen = state.subscriptions.iter().filter(|id| state.roles.see(&caller.principal_id, id));
    Reply::json(200, &json!({"value": seen.map(|id| view(state, id)).collect::<Vec<_>>()}))
}

pub(super) fn tenants(state: &State) -> Reply {
    let tenant = &state.settings.tenant;
    let view = json!({"id": format!("/tenants/{tenant}"), "tenantId": tenant, "displayName": "podid lab"});
    Reply::json(200, &json!({"value": [view]}))
}

pub(super) fn get(state: &State, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    match state.subscriptions.get(id) {
        Some(known) if state.roles.see(&caller.principal_id, id) => Ok(Reply::json(200, &view(state, known))),
        _ => {
            let message = format!("The subscription '{}' could not be found.", id.name());
            Err(error(404, "SubscriptionNotFound", &message))
        }
    }
}

pub(super) fn list_groups(state: &State, caller: &Bearer, scope: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, "Microsoft.Resources/subscriptions/resourceGroups/read", scope)?;
    let groups = state.groups.iter().filter(|id| id.is_within(scope));
    Ok(Reply::json(200, &json!({"value": groups.map(|id| group_view(state, id)).collect::<Vec<_>>()})))
}

pub(super) fn get_group(state: &State, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, "Microsoft.Resources/subscriptions/resourceGroups/read", id)?;
    let known = state.groups.get(id).ok_or_else(|| group_not_found(id.name()))?;
    Ok(Reply::json(200, &group_view(state, known)))
}

fn view(state: &State, id: &ArmId) -> Value {
    json!({
        "id": id.as_str(), "subscriptionId": id.name(), "tenantId": state.settings.tenant,
        "displayName": "podid lab", "state": "Enabled", "authorizationSource": "RoleBased",
    })
}

fn group_view(state: &State, id: &ArmId) -> Value {
    let mut view = json!({
        "id": id.as_str(), "name": id.name(), "type": "Microsoft.Resources/resourceGroups",
        "location": state.settings.location, "properties": {"provisioningState": "Succeeded"},
    });
    // AKS makes the group of a cluster's nodes, and says so.
    let owner = state.clusters.values().find(|cluster| cluster.node_group.eq_ignore_ascii_case(id.name()));
    if let Some(cluster) = owner {
        view["managedBy"] = json!(cluster.id.as_str());
    }
    view
}
