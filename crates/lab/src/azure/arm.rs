//! How does Azure Resource Manager answer? Authentication, version, limits, then the route.

mod clusters;
mod compute;
pub(crate) mod delta;
pub(crate) mod error;
mod gate;
mod identities;
mod operations;
mod patch;
mod role_assignments;
mod route;
mod subscriptions;

use http::Method;

use super::Azure;
use super::call::Call;
use super::id::{ArmId, fresh_guid};
use super::reply::Reply;
use super::state::State;
use super::state::operation::Failure;
use super::token::Bearer;
use route::Route;

/// Answers one request. `fate` makes the operation that it starts fail in the end.
pub(crate) fn answer(azure: &Azure, call: &Call, fate: Option<Failure>) -> Reply {
    let reply = decide(azure, call, fate).unwrap_or_else(|refusal| refusal);
    let id = fresh_guid();
    let reply = reply
        .header("x-ms-request-id", &id)
        .header("x-ms-correlation-request-id", &id)
        .header("x-ms-routing-request-id", format!("WESTEUROPE:{id}"));
    match call.header("x-ms-client-request-id") {
        Some(theirs) if call.header("x-ms-return-client-request-id") == Some("true") => {
            reply.header("x-ms-client-request-id", theirs)
        }
        _ => reply,
    }
}

fn decide(azure: &Azure, call: &Call, fate: Option<Failure>) -> Result<Reply, Reply> {
    let caller = gate::authenticate(azure, call)?;
    gate::check_version(call)?;
    let segments = call.segments();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let route = route::parse(&segments).ok_or_else(|| error::unknown_path(&segments))?;
    let mut state = azure.lock();
    let left = gate::spend(&mut state, call, &caller, route.subscription())?;
    let reply = dispatch(&mut state, call, &caller, &route, fate)?;
    Ok(gate::show_budget(reply, call, left))
}

fn dispatch(
    state: &mut State,
    call: &Call,
    caller: &Bearer,
    route: &Route,
    fate: Option<Failure>,
) -> Result<Reply, Reply> {
    match (route, &call.method) {
        (Route::Subscriptions, &Method::GET) => Ok(subscriptions::list(state, caller)),
        (Route::Tenants, &Method::GET) => Ok(subscriptions::tenants(state)),
        (Route::Subscription(id), &Method::GET) => subscriptions::get(state, caller, id),
        (Route::Groups(subscription), &Method::GET) => {
            subscriptions::list_groups(state, caller, subscription)
        }
        (Route::Group(id), &Method::GET) => subscriptions::get_group(state, caller, id),
        (Route::Machines(scope, kind), &Method::GET) => compute::list(state, caller, scope, *kind),
        (Route::Machine(id, kind), &Method::GET) => compute::get(state, caller, id, *kind),
        (Route::Machine(id, kind), &Method::PATCH) => patch::patch(state, call, caller, (id, *kind), fate),
        (Route::Instances(set), &Method::GET) => compute::list_instances(state, caller, set),
        (Route::Instance(set, instance), &Method::GET) => compute::get_instance(state, caller, set, instance),
        (Route::Identities(scope), &Method::GET) => identities::list(state, caller, scope),
        (Route::Identity(id), &Method::GET) => identities::get(state, caller, id),
        (Route::Identity(id), &Method::PUT) => identities::put(state, call, caller, id),
        (Route::Identity(id), &Method::DELETE) => identities::delete(state, caller, id),
        (Route::Clusters(scope), &Method::GET) => clusters::list(state, caller, scope),
        (Route::Cluster(id), &Method::GET) => clusters::get(state, caller, id),
        (Route::RoleAssignments(scope), &Method::GET) => role_assignments::list(state, call, caller, scope),
        (Route::RoleAssignment(scope, name), &Method::GET) => {
            role_assignments::get(state, caller, scope, name)
        }
        (Route::RoleAssignment(scope, name), &Method::PUT) => {
            role_assignments::put(state, call, caller, scope, name)
        }
        (Route::RoleAssignment(scope, name), &Method::DELETE) => {
            role_assignments::delete(state, caller, scope, name)
        }
        (Route::Operation(_, id), &Method::GET) => operations::get(state, call, id),
        _ => Err(error::method_not_allowed(call)),
    }
}

/// Refuses a caller who may not do the action on the scope.
fn authorize(state: &State, caller: &Bearer, action: &str, scope: &ArmId) -> Result<(), Reply> {
    if state.roles.allow(&caller.principal_id, action, scope) {
        Ok(())
    } else {
        Err(error::forbidden(caller, action, scope))
    }
}
