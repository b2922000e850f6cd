//! How does the instance metadata service answer? Header and query rules, then the route.
//!
//! Source: "Azure Instance Metadata Service" and "How to use managed identities … to acquire an access token".

mod instance;
mod select;
mod token;

use http::Method;
use serde_json::json;

use super::Azure;
use super::call::{Call, Repeated};
use super::reply::Reply;

/// Versions that every route but the newest knows, the newest first.
const VERSIONS: &[&str] = &[
    "2025-04-07",
    "2024-07-17",
    "2024-03-15",
    "2023-11-15",
    "2023-07-01",
    "2021-12-13",
    "2021-11-15",
    "2021-11-01",
    "2021-10-01",
    "2021-08-01",
    "2021-05-01",
    "2021-03-01",
    "2021-02-01",
    "2021-01-01",
    "2020-12-01",
    "2020-10-01",
    "2020-09-01",
    "2020-07-15",
    "2020-06-01",
    "2019-11-01",
    "2019-08-15",
    "2019-08-01",
    "2019-06-04",
    "2019-06-01",
    "2019-04-30",
    "2019-03-11",
    "2019-02-01",
    "2018-10-01",
    "2018-04-02",
    "2018-02-01",
    "2017-12-01",
    "2017-10-01",
    "2017-08-01",
    "2017-04-02",
    "2017-03-01",
];

/// Two forms of an error: the identity routes have OAuth's, the others a sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    OAuth,
    Sentence,
}

/// Answers one request of a machine.
pub(crate) fn answer(azure: &Azure, call: &Call) -> Reply {
    // The real service may be strict about letter case. This one is not, so that a proxy in front of it which
    // takes `/metadata/Identity` for something harmless is found out.
    let segments: Vec<_> = call.segments().iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let path: Vec<_> = segments.iter().map(String::as_str).collect();
    let form = if path.starts_with(&["metadata", "identity"]) { Form::OAuth } else { Form::Sentence };
    if let Err(refusal) = check_request(call, form) {
        return refusal;
    }
    let host = azure.lock().network.find(call.caller).map(|(host, _)| host.clone());
    let Some(host) = host else {
        let whose = format!("no machine of the lab has the address {}", call.caller);
        return error(form, 404, "not_found", &whose);
    };
    match path.as_slice() {
        ["metadata", "identity", "oauth2", "token"] => token::answer(azure, call, &host),
        ["metadata", "identity", "info"] => info(azure, call),
        ["metadata", "instance", below @ ..] => instance::answer(azure, call, &host, below),
        ["metadata", "versions"] => Reply::json(200, &json!({"apiVersions": oldest_first()})),
        _ => error(form, 404, "not_found", "Not found"),
    }
}

/// The rules that every route has.
fn check_request(call: &Call, form: Form) -> Result<(), Reply> {
    if call.method != Method::GET {
        return Err(error(form, 405, "method_not_allowed", "Method not allowed"));
    }
    if call.header("x-forwarded-for").is_some() {
        return Err(error(form, 400, "invalid_request", "Header X-Forwarded-For is not allowed"));
    }
    if !call.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(error(form, 400, "invalid_request", "Required metadata header not specified"));
    }
    Ok(())
}

fn info(azure: &Azure, call: &Call) -> Reply {
    match check_version(call) {
        Ok(()) => Reply::json(200, &json!({"tenantId": azure.tenant()})),
        Err(refusal) => refusal,
    }
}

/// The version rule of the identity routes.
fn check_version(call: &Call) -> Result<(), Reply> {
    let invalid = |text: &str| error(Form::OAuth, 400, "invalid_request", text);
    match one(call, "api-version")? {
        None => Err(invalid("Required query variable 'api-version' is missing")),
        Some(version) if VERSIONS.contains(&version) && version >= "2018-02-01" => Ok(()),
        Some(_) => Err(invalid("Query variable 'api-version' has a value that is not supported")),
    }
}

/// A parameter that may appear once.
fn one<'a>(call: &'a Call, name: &str) -> Result<Option<&'a str>, Reply> {
    call.query.one(name).map_err(|Repeated(name)| {
        error(Form::OAuth, 400, "invalid_request", &format!("Query variable '{name}' appears more than once"))
    })
}

fn error(form: Form, status: u16, code: &str, text: &str) -> Reply {
    let body = match form {
        Form::OAuth => json!({"error": code, "error_description": text}),
        Form::Sentence if status == 400 => json!({"error": format!("Bad request. {text}")}),
        Form::Sentence => json!({"error": text}),
    };
    Reply::json(status, &body).detail(text)
}

fn oldest_first() -> Vec<&'static str> {
    VERSIONS.iter().rev().copied().collect()
}

/// An error on demand.
pub(crate) fn fault(status: u16, code: Option<&str>, message: &str) -> Reply {
    let usual = match status {
        400 => "invalid_request",
        404 => "not_found",
        429 => "too_many_requests",
        503 => "service_unavailable",
        _ => "server_error",
    };
    error(Form::OAuth, status, code.unwrap_or(usual), message)
}
