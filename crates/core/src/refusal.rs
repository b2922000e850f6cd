//! What does a caller read who gets no token?
//!
//! Every refusal is IMDS-shaped, and its status is chosen for what SDKs do with it
//! (design §6, "errors"): 400 is final, 403 is a decision that stands, 429 and 503 are asked again.

mod cause;

use std::borrow::Cow;
use std::fmt;

use crate::code::Code;

pub use cause::Cause;

/// Seconds after which a caller who was held and got nothing shall ask again.
const RETRY_AFTER_HOLD: u32 = 5;

/// Seconds after which a caller shall ask again when nobody could be asked on its behalf.
const RETRY_AFTER_TROUBLE: u32 = 20;

/// An answer without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The word in `error`.
    pub code: &'static str,
    /// Why, in a word.
    pub cause: Cause,
    /// Why, in a sentence: what happened, to which object, what to do next.
    pub text: String,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
}

// === impl Refusal ===

impl Refusal {
    /// 400: the request itself is wrong, and stays wrong.
    pub fn invalid(cause: Cause, text: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", cause, text, None)
    }

    /// 400 as IMDS says it of an identity that the caller does not have; no SDK asks again.
    pub fn never(cause: Cause, reason: impl fmt::Display) -> Self {
        Self::new(400, "invalid_request", cause, format!("Identity not found: {reason}"), None)
    }

    /// 503 after a hold: what was asked for may still come.
    pub fn not_yet(cause: Cause, reason: impl fmt::Display) -> Self {
        Self::new(503, "service_unavailable", cause, format!("Not yet: {reason}"), Some(RETRY_AFTER_HOLD))
    }

    /// 503: something that podid needs is out of reach.
    pub fn trouble(cause: Cause, reason: impl Into<String>) -> Self {
        Self::new(503, "service_unavailable", cause, reason, Some(RETRY_AFTER_TROUBLE))
    }

    /// 429: whoever was asked wants to be asked less; `seconds` is what it said, if it said so.
    pub fn throttled(reason: impl Into<String>, seconds: Option<u32>) -> Self {
        let seconds = seconds.unwrap_or(RETRY_AFTER_TROUBLE);
        Self::new(429, "too_many_requests", Cause::Throttled, reason, Some(seconds))
    }

    /// 403: a decision that stands. The text must not contain the word that makes SDKs believe
    /// that there is no IMDS (measured on Python, JS and Go).
    pub fn forbidden(cause: Cause, text: impl Into<String>) -> Self {
        Self::new(403, "forbidden", cause, text, None)
    }

    /// 404, for routes other than the token route.
    pub fn not_found(cause: Cause, text: impl Into<String>) -> Self {
        Self::new(404, "not_found", cause, text, None)
    }

    /// 405, as IMDS answers anything but GET.
    pub fn wrong_method(text: impl Into<String>) -> Self {
        Self::new(405, "method_not_allowed", Cause::BadMethod, text, None)
    }

    /// The same, where a caller that shall ask again shall not do so too soon.
    #[must_use]
    pub fn later(self) -> Self {
        Self { retry_after: self.retry_after.map(|seconds| seconds.max(RETRY_AFTER_TROUBLE)), ..self }
    }

    /// The sentence in `error_description`. It ends in the command that explains the cause, unless it is one that
    /// programs may know from IMDS or from the original.
    pub fn description(&self) -> Cow<'_, str> {
        match self.cause {
            Cause::NoMetadataHeader
            | Cause::NoResource
            | Cause::InstanceBlocked
            | Cause::HostTokenUnnamed => Cow::Borrowed(&self.text),
            cause => Cow::Owned(Code::Cause(cause).mark(&self.text)),
        }
    }

    fn new(
        status: u16,
        code: &'static str,
        cause: Cause,
        text: impl Into<String>,
        retry_after: Option<u32>,
    ) -> Self {
        Self { status, code, cause, text: text.into(), retry_after }
    }
}
