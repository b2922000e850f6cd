//! How does Entra say no? OAuth 2.0 errors (RFC 6749 §5.2) with AADSTS codes.

use jiff::Timestamp;
use serde_json::json;

use crate::azure::id::fresh_guid;
use crate::azure::reply::Reply;

/// One of Entra's errors.
pub(super) struct Aadsts {
    pub(super) code: u32,
    pub(super) error: &'static str,
    pub(super) status: u16,
}

pub(super) const TENANT_NOT_FOUND: Aadsts = request(90002);
pub(super) const MISSING_PARAMETER: Aadsts = request(900_144);
pub(super) const REPEATED_PARAMETER: Aadsts = request(900_561);
pub(super) const WRONG_GRANT: Aadsts = Aadsts { code: 70003, error: "unsupported_grant_type", status: 400 };
pub(super) const NO_APPLICATION: Aadsts = Aadsts { code: 700_016, error: "unauthorized_client", status: 400 };
pub(super) const NO_RESOURCE: Aadsts = Aadsts { code: 500_011, error: "invalid_resource", status: 400 };
pub(super) const BAD_SCOPE: Aadsts = Aadsts { code: 1_002_012, error: "invalid_scope", status: 400 };
pub(super) const NO_CREDENTIAL: Aadsts = client(7_000_216);
pub(super) const WRONG_SECRET: Aadsts = client(7_000_215);
pub(super) const EXPIRED_SECRET: Aadsts = client(7_000_222);
pub(super) const MALFORMED_ASSERTION: Aadsts = client(50027);
pub(super) const WRONG_SIGNATURE: Aadsts = client(700_027);
pub(super) const WRONG_SUBJECT: Aadsts = client(700_021);
pub(super) const WRONG_AUDIENCE: Aadsts = client(700_023);
pub(super) const WRONG_TIME: Aadsts = client(700_024);

const fn request(code: u32) -> Aadsts {
    Aadsts { code, error: "invalid_request", status: 400 }
}

const fn client(code: u32) -> Aadsts {
    Aadsts { code, error: "invalid_client", status: 401 }
}

pub(super) fn refuse(why: &Aadsts, text: &str, now: Timestamp) -> Reply {
    let (trace, correlation, code) = (fresh_guid(), fresh_guid(), why.code);
    let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let body = json!({
        "error": why.error,
        "error_description": format!(
            "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        ),
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    Reply::json(why.status, &body).header("cache-control", "no-store").detail(format!("AADSTS{code}: {text}"))
}

/// An error on demand.
pub(crate) fn fault(status: u16, code: Option<&str>, message: &str) -> Reply {
    let usual = if status >= 500 || status == 429 { "temporarily_unavailable" } else { "invalid_request" };
    let body = json!({"error": code.unwrap_or(usual), "error_description": message});
    Reply::json(status, &body).detail(message)
}
