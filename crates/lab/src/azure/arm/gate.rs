//! May this request in at all? Its token, its version, its share of the quota.

use http::Method;
use jiff::Timestamp;

use super::error::error;
use crate::azure::Azure;
use crate::azure::call::Call;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::token::{Bearer, Rejected, check};

const AUDIENCES: &[&str] = &[
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
];

/// What a caller may still do.
pub(super) type Left = Option<u64>;

/// Whose request it is.
pub(super) fn authenticate(azure: &Azure, call: &Call) -> Result<Bearer, Reply> {
    let tenant = azure.tenant();
    let challenge = |code: &str, message: &str| {
        let header = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/{tenant}\", error=\"invalid_token\", \
             error_description=\"{message}\""
        );
        error(401, code, message).header("www-authenticate", header)
    };
    let Some(token) = call.bearer() else {
        let missing = "Authentication failed. The 'Authorization' header is missing or has no bearer token.";
        return Err(challenge("AuthenticationFailed", missing));
    };
    let doors = azure.lock().doors.clone();
    let audiences: Vec<&str> = AUDIENCES.iter().copied().chain(doors.iter().map(String::as_str)).collect();
    check(&azure.inner.signer, &tenant, &audiences, token, call.now).map_err(|why| match why {
        Rejected::Signature(_) => challenge("InvalidAuthenticationToken", "The access token is invalid."),
        Rejected::Issuer(issuer) => {
            let message = format!(
                "The access token is from the wrong issuer '{issuer}'. It must match the tenant '{}' associated \
                 with this subscription.",
                crate::azure::token::issuer(&tenant)
            );
            challenge("InvalidAuthenticationTokenTenant", &message)
        }
        Rejected::Audience(audience) => {
            let message = format!(
                "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly \
                 match with one of the allowed audiences '{}'.",
                audiences.join("','")
            );
            challenge("InvalidAuthenticationTokenAudience", &message)
        }
        Rejected::Expired(at) => {
            let then = Timestamp::from_second(at).unwrap_or_default();
            let message = format!(
                "The access token expiry UTC time '{then}' is earlier than current UTC time '{}'.",
                call.now
            );
            challenge("ExpiredAuthenticationToken", &message)
        }
    })
}

/// Every request names a version that looks like one.
pub(super) fn check_version(call: &Call) -> Result<(), Reply> {
    match call.query.first("api-version") {
        None | Some("") => Err(error(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )),
        Some(version) if looks_like_a_version(version) => Ok(()),
        Some(version) => {
            Err(error(400, "InvalidApiVersionParameter", &format!("The api-version '{version}' is invalid.")))
        }
    }
}

fn looks_like_a_version(text: &str) -> bool {
    let date = text.get(..10).unwrap_or_default();
    let digits = |range: std::ops::Range<usize>| date[range].bytes().all(|byte| byte.is_ascii_digit());
    date.is_ascii()
        && date.len() == 10
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && (text.len() == 10 || text[10..].starts_with("-preview"))
}

/// Takes the request out of the caller's quota for the subscription.
pub(super) fn spend(
    state: &mut State,
    call: &Call,
    caller: &Bearer,
    subscription: Option<&str>,
) -> Result<Left, Reply> {
    let limits = state.settings.limits;
    let (sort, bucket) =
        if is_read(call) { ("reads", limits.arm_reads) } else { ("writes", limits.arm_writes) };
    let (Some(bucket), Some(subscription)) = (bucket, subscription) else { return Ok(None) };
    let key = format!("arm {sort} {} {}", subscription.to_ascii_lowercase(), caller.principal_id);
    state.budgets.take(&key, bucket, call.now).map(Some).map_err(|exhausted| {
        let message = format!(
            "The request is being throttled as the limit has been reached for operation type '{sort}'. Please try \
             again after {} seconds.",
            exhausted.retry_after
        );
        error(429, "TooManyRequests", &message).header("retry-after", exhausted.retry_after.to_string())
    })
}

/// Says in the headers what is left.
pub(super) fn show_budget(reply: Reply, call: &Call, left: Left) -> Reply {
    let left = left.unwrap_or(if is_read(call) { 249 } else { 199 }).to_string();
    if is_read(call) {
        reply.header("x-ms-ratelimit-remaining-subscription-reads", left)
    } else {
        reply.header("x-ms-ratelimit-remaining-subscription-writes", left)
    }
}

fn is_read(call: &Call) -> bool {
    matches!(call.method, Method::GET | Method::HEAD)
}
