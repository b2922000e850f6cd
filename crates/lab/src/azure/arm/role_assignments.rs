//! Who has which role where? GET, PUT, DELETE and LIST of `roleAssignments`, for the built-in roles of the lab.

use serde_json::{Value, json};

use super::authorize;
use super::error::error;
use crate::azure::call::Call;
use crate::azure::clock::later;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::roles::{Grant, Role};
use crate::azure::token::Bearer;

const KIND: &str = "Microsoft.Authorization/roleAssignments";

/// Lists what counts on the scope; without `atScope()` in the filter also what is granted below it.
pub(super) fn list(state: &State, call: &Call, caller: &Bearer, scope: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), scope)?;
    let filter = call.query.first("$filter").unwrap_or_default().to_ascii_lowercase();
    // assignedTo('ID') or principalId eq 'ID'
    let principal = filter.split('\'').nth(1);
    let below_too = !filter.contains("atscope()");
    let found = state.roles.iter().filter(|grant| {
        (scope.is_within(&grant.scope) || below_too && grant.scope.is_within(scope))
            && principal.is_none_or(|principal| grant.principal_id.eq_ignore_ascii_case(principal))
    });
    Ok(Reply::json(200, &json!({"value": found.map(view).collect::<Vec<_>>()})))
}

pub(super) fn get(state: &State, caller: &Bearer, scope: &ArmId, name: &str) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), scope)?;
    let message = format!("The role assignment '{name}' is not found.");
    let grant = find(state, scope, name).ok_or_else(|| error(404, "RoleAssignmentNotFound", &message))?;
    Ok(Reply::json(200, &view(grant)))
}

pub(super) fn put(
    state: &mut State,
    call: &Call,
    caller: &Bearer,
    scope: &ArmId,
    name: &str,
) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/write"), scope)?;
    let body: Value = serde_json::from_slice(&call.body)
        .map_err(|_| error(400, "InvalidRequestContent", "The request content was invalid."))?;
    let text = |key: &str| body["properties"][key].as_str().unwrap_or_default().to_owned();
    let (principal_id, definition) = (text("principalId"), text("roleDefinitionId"));
    let role = Role::of_definition(&definition).ok_or_else(|| {
        let message = format!("The specified role definition with ID '{definition}' does not exist.");
        error(400, "RoleDefinitionDoesNotExist", &message)
    })?;
    if !state.knows_principal(&principal_id) {
        let tenant = &state.settings.tenant;
        let message = format!("Principal {principal_id} does not exist in the directory {tenant}.");
        return Err(error(400, "PrincipalNotFound", &message));
    }
    if state.roles.holds(&principal_id, role, scope) {
        return Err(error(409, "RoleAssignmentExists", "The role assignment already exists."));
    }
    let from = later(call.now, state.settings.roles.propagation);
    let grant = Grant { name: name.to_owned(), scope: scope.clone(), principal_id, role, from };
    let reply = Reply::json(201, &view(&grant)).detail(format!("{role:?} on {scope}"));
    state.roles.add(grant);
    Ok(reply)
}

pub(super) fn delete(state: &mut State, caller: &Bearer, scope: &ArmId, name: &str) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/delete"), scope)?;
    let Some(grant) = find(state, scope, name).cloned() else { return Ok(Reply::empty(204)) };
    state.roles.revoke(&grant.principal_id, grant.role, scope);
    Ok(Reply::json(200, &view(&grant)))
}

fn find<'a>(state: &'a State, scope: &ArmId, name: &str) -> Option<&'a Grant> {
    state.roles.iter().find(|grant| grant.scope == *scope && grant.name.eq_ignore_ascii_case(name))
}

fn view(grant: &Grant) -> Value {
    let subscription = grant.scope.subscription_id().unwrap_or_default();
    let definition = grant.role.definition();
    json!({
        "id": grant.scope.resource(KIND, &grant.name).as_str(),
        "name": grant.name,
        "type": KIND,
        "properties": {
            "scope": grant.scope.as_str(),
            "principalId": grant.principal_id,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": format!(
                "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{definition}"
            ),
        },
    })
}
