//! How does a client follow a long-running operation? `Azure-AsyncOperation`, `Location` and `Retry-After`.

use serde_json::json;

use super::compute::show;
use super::error::{error, not_found};
use crate::azure::call::Call;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::operation::{Failure, Status};

/// Tells where to ask for the operation.
pub(super) fn accepted(state: &State, call: &Call, machine: &ArmId, id: &str, reply: Reply) -> Reply {
    let url = format!(
        "https://{}/subscriptions/{}/providers/Microsoft.Compute/locations/{}/operations/{id}?api-version={}",
        call.authority,
        machine.subscription_id().unwrap_or_default(),
        state.settings.location,
        call.query.first("api-version").unwrap_or_default(),
    );
    reply
        .header("azure-asyncoperation", &url)
        .header("location", format!("{url}&monitor=true"))
        .header("retry-after", state.settings.assignment.poll_seconds.to_string())
}

/// The status of an operation; with `monitor=true` its outcome, as the `Location` of a 202 has it.
pub(super) fn get(state: &State, call: &Call, id: &str) -> Result<Reply, Reply> {
    let operation = state.operations.get(id).ok_or_else(|| {
        error(404, "NotFound", &format!("The operation '{id}' was not found; it may be over for long."))
    })?;
    let poll = state.settings.assignment.poll_seconds.to_string();
    if call.query.first("monitor").is_some() {
        return match &operation.status {
            Status::Running => {
                Ok(Reply::empty(202).header("location", here(call)).header("retry-after", poll))
            }
            Status::Failed(Failure { code, message }) => Err(error(400, code, message)),
            Status::Succeeded => {
                let machine = &operation.machine;
                let machine = state.machines.get(machine).ok_or_else(|| not_found(machine))?;
                Ok(show(state, machine, 200))
            }
        };
    }
    let mut body = json!({"name": id, "startTime": operation.started.to_string()});
    let status = match &operation.status {
        Status::Running => "InProgress",
        Status::Succeeded => "Succeeded",
        Status::Failed(Failure { code, message }) => {
            body["error"] = json!({"code": code, "message": message});
            "Failed"
        }
    };
    body["status"] = json!(status);
    let reply = if operation.status == Status::Running {
        Reply::json(200, &body).header("retry-after", poll)
    } else {
        body["endTime"] = json!(operation.ends.to_string());
        Reply::json(200, &body)
    };
    Ok(reply.detail(format!("{} {status}", operation.machine.name())))
}

fn here(call: &Call) -> String {
    let version = call.query.first("api-version").unwrap_or_default();
    format!("https://{}{}?api-version={version}&monitor=true", call.authority, call.path)
}
