//! Is a PATCH of a machine's identities carried out, and what does its sender hear?

use serde_json::json;

use super::compute::show;
use super::delta::{Delta, Invalid, parse};
use super::error::{error, error_at, not_found};
use super::{authorize, operations};
use crate::azure::call::Call;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::machine::Kind;
use crate::azure::state::operation::{Failure, Status};
use crate::azure::token::Bearer;

const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

/// Checks in the order of the real thing: the caller, the body, each identity, then the machine.
pub(super) fn patch(
    state: &mut State,
    call: &Call,
    caller: &Bearer,
    (id, kind): (&ArmId, Kind),
    fate: Option<Failure>,
) -> Result<Reply, Reply> {
    let action = format!("{}/write", kind.resource_type());
    authorize(state, caller, &action, id)?;
    let delta = parse(&call.body).map_err(|why| invalid(&why))?;
    let machine = state.machines.get(id).ok_or_else(|| not_found(id))?;
    let Some(delta) = delta else { return Ok(show(state, machine, 200)) };
    check_identities(state, caller, &action, id, &delta)?;
    check_tags(call, &machine.etag())?;
    delta.apply_to(&machine.identity).map_err(|why| invalid(&why))?;
    if state.settings.assignment.refuse_concurrent && state.operations.run_on(id) {
        let message = format!("Another operation on '{id}' is in progress. Retry when it has completed.");
        return Err(error(409, "Conflict", &message));
    }
    let (operation, status) = state.begin(id.clone(), delta.clone(), fate, call.now);
    let machine = state.machines.get(id).ok_or_else(|| not_found(id))?;
    let told = format!("{}{}", names("+", &delta.add), names("-", &delta.remove));
    match status {
        Status::Succeeded => {
            let reply = show(state, machine, 200);
            let detail = format!("{}→ {}", told, reply.detail);
            Ok(reply.detail(detail))
        }
        Status::Running => {
            let reply = operations::accepted(state, call, id, &operation, show(state, machine, 202));
            Ok(reply.detail(format!("{told}started")))
        }
        Status::Failed(Failure { code, message }) => Err(error(400, &code, &message)),
    }
}

/// What the caller and the identity service have to say about the identities.
fn check_identities(
    state: &State,
    caller: &Bearer,
    action: &str,
    machine: &ArmId,
    delta: &Delta,
) -> Result<(), Reply> {
    let may_assign = |id: &&ArmId| state.roles.allow(&caller.principal_id, ASSIGN, id);
    let forbidden: Vec<_> = delta.add.iter().filter(|id| !may_assign(id)).map(ArmId::as_str).collect();
    if !forbidden.is_empty() {
        let message = format!(
            "The client '{}' with object id '{}' has permission to perform action '{action}' on scope '{machine}'; \
             however, it does not have permission to perform action(s) '{ASSIGN}' on the linked scope(s) '{}' \
             (respectively) or the linked scope(s) are invalid.",
            caller.client_id,
            caller.principal_id,
            forbidden.join(","),
        );
        return Err(error(403, "LinkedAuthorizationFailed", &message));
    }
    let limit = state.settings.assignment.identities_per_request;
    if delta.len() > limit {
        let why = format!(
            "User Assigned Identities Number '{}' Assign exceed limit '{limit}' in one request.",
            delta.len()
        );
        return Err(failed_operation(machine, &why));
    }
    match delta.add.iter().find(|id| !state.identities.contains_key(id)) {
        Some(missing) => Err(failed_operation(machine, &format!("Resource '{missing}' was not found."))),
        None => Ok(()),
    }
}

/// `If-Match` and `If-None-Match` (RFC 9110 §13.1).
fn check_tags(call: &Call, etag: &str) -> Result<(), Reply> {
    let names_it = |value: &str| value.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag);
    let differs = call.header("if-match").is_some_and(|value| !names_it(value));
    if differs || call.header("if-none-match").is_some_and(names_it) {
        let message = "The condition set in the If-Match or If-None-Match header is not met.";
        return Err(error(412, "PreconditionFailed", message));
    }
    Ok(())
}

/// An answer of the identity service, wrapped in Compute's own error as text.
fn failed_operation(machine: &ArmId, why: &str) -> Reply {
    let inner = json!({"error": {"code": "BadRequest", "message": why}});
    let message = format!(
        "Identity operation for resource '{machine}' failed with error 'Failed to perform resource identity \
         operation. Status: 'BadRequest'. Response: '{inner}'.'."
    );
    error(400, "FailedIdentityOperation", &message)
}

fn invalid(why: &Invalid) -> Reply {
    match why {
        Invalid::Body => error(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized.",
        ),
        Invalid::Type(kind) => error_at(
            400,
            "InvalidParameter",
            &format!("The identity type '{kind}' is not valid."),
            "identity.type",
        ),
        Invalid::UsersWithoutType => error(
            400,
            "BadRequest",
            "The request format was unexpected, a non-UserAssigned identity type should not contain: \
             userAssignedIdentities",
        ),
        Invalid::Value(id) => {
            let message = format!(
                "Invalid value for the identities '{id}'. The 'UserAssigned' property keys should only be empty json \
                 objects, null or the resource existing property."
            );
            error(400, "InvalidIdentityValues", &message)
        }
        Invalid::Key(id) => {
            let message = format!("The value '{id}' is a duplicate or no valid reference to an identity.");
            error_at(400, "InvalidParameter", &message, "resourceIdentity.identityIds")
        }
        Invalid::NoneLeft => error(
            400,
            "MissingIdentityIds",
            "The identity ids must not be null or empty for 'UserAssigned' identity type.",
        ),
    }
}

fn names(sign: &str, ids: &[ArmId]) -> String {
    ids.iter().flat_map(|id| [sign, id.name(), " "]).collect()
}
