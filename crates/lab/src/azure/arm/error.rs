//! How does ARM say no? `{"error": {"code", "message"}}`.

use serde_json::{Value, json};

use crate::azure::call::Call;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::token::Bearer;

pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    render(status, &json!({"code": code, "message": message}), code, message)
}

/// An error that names what it is about.
pub(super) fn error_at(status: u16, code: &str, message: &str, target: &str) -> Reply {
    render(status, &json!({"code": code, "message": message, "target": target}), code, message)
}

fn render(status: u16, error: &Value, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": error})).detail(format!("{code}: {message}"))
}

/// An error on demand.
pub(crate) fn fault(status: u16, code: Option<&str>, message: &str) -> Reply {
    let usual = match status {
        404 => "ResourceNotFound",
        409 => "Conflict",
        412 => "PreconditionFailed",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        500.. => "InternalServerError",
        _ => "BadRequest",
    };
    error(status, code.unwrap_or(usual), message)
}

pub(super) fn forbidden(caller: &Bearer, action: &str, scope: &ArmId) -> Reply {
    let (client, object) = (&caller.client_id, &caller.principal_id);
    let message = format!(
        "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' \
         over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
         credentials."
    );
    error(403, "AuthorizationFailed", &message)
}

pub(super) fn not_found(id: &ArmId) -> Reply {
    let resource = id.as_str().split("/providers/").last().unwrap_or_default();
    let group = id.group_name().unwrap_or_default();
    let message = format!("The Resource '{resource}' under resource group '{group}' was not found.");
    error(404, "ResourceNotFound", &message)
}

pub(super) fn group_not_found(name: &str) -> Reply {
    error(404, "ResourceGroupNotFound", &format!("Resource group '{name}' could not be found."))
}

pub(super) fn unknown_path(segments: &[&str]) -> Reply {
    let provider = segments.iter().position(|segment| segment.eq_ignore_ascii_case("providers"));
    match provider.and_then(|at| segments.get(at + 1..)) {
        Some([namespace, kind, ..]) => {
            let message =
                format!("The resource type '{kind}' could not be found in the namespace '{namespace}'.");
            error(404, "InvalidResourceType", &message)
        }
        _ => error(404, "NotFound", "No HTTP resource was found that matches the request URI."),
    }
}

pub(super) fn method_not_allowed(call: &Call) -> Reply {
    let message = format!("The request method '{}' is not supported for this resource.", call.method);
    error(405, "MethodNotAllowed", &message)
}
