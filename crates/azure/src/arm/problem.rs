//! What does an error answer of ARM mean?

use std::time::Duration;

use podid_core::ids::IdentityResourceId;
use serde_json::Value;

use super::Error;
use super::blame::blamed;

/// Longest part of ARM's words that is passed on.
const LONGEST: usize = 1024;

/// An error document of ARM: code and message, and everything nested in it as one text.
#[derive(Debug, Default)]
pub(super) struct Problem {
    code: String,
    message: String,
    /// All strings in the document, inner errors included.
    text: String,
}

// === impl Problem ===

impl Problem {
    /// Reads an error answer. Some providers leave the outer `error` away, some put a document into a
    /// string of another, and proxies answer HTML.
    pub(super) fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).map_or_else(|_| Self::default(), |value: Value| Self::of(&value))
    }

    /// Reads the `error` of a failed operation, or a whole document.
    pub(super) fn of(document: &Value) -> Self {
        let error = document.get("error").filter(|error| error.is_object()).unwrap_or(document);
        let field = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut text = String::new();
        collect(document, &mut text, 0);
        Self { code: field("code"), message: field("message"), text }
    }

    /// ARM's word for it.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// All that it says, inner errors included.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The error for a call about `target` that sent `sent` and was answered with `status`.
    pub(super) fn judge(
        &self,
        status: u16,
        retry_after: Option<Duration>,
        target: &str,
        sent: &[IdentityResourceId],
    ) -> Error {
        let target = target.to_owned();
        if status == 429 || self.is_throttled_inside() {
            let retry_after = retry_after.or_else(|| self.wait_in_text()).unwrap_or(Duration::from_secs(30));
            return Error::Throttled { target, retry_after };
        }
        let detail = self.detail();
        match status {
            408 | 500..=599 => {
                Error::Unavailable { reason: format!("status {status}, {detail}"), retry_after }
            }
            409 | 412 => Error::Conflict { target, detail },
            _ => {
                let identities = blamed(&self.text, sent);
                match status {
                    _ if !identities.is_empty() => Error::Identities { target, identities, detail },
                    404 => Error::NotFound { target },
                    401 | 403 => Error::Denied { target, detail },
                    _ => Error::Rejected { target, status, detail },
                }
            }
        }
    }

    /// The error of an operation that ended badly.
    pub(super) fn judge_operation(&self, target: &str, sent: &[IdentityResourceId]) -> Error {
        let status = match self.code.as_str() {
            "Conflict" | "OperationPreempted" | "AnotherOperationInProgress" | "PreconditionFailed" => 409,
            "InternalServerError" | "InternalExecutionError" | "InternalOperationError" => 500,
            _ => 200,
        };
        self.judge(status, None, target, sent)
    }

    /// The identity service behind ARM throttles too, and its answer comes as text inside a 400.
    pub(super) fn is_throttled_inside(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        self.code == "TooManyRequests"
            || text.contains("'toomanyrequests'")
            || text.contains("\"toomanyrequests\"")
            || text.contains("too many requests")
    }

    /// The number in `retry after N seconds`, in its various spellings.
    pub(super) fn wait_in_text(&self) -> Option<Duration> {
        let text = self.text.to_ascii_lowercase();
        let (_, rest) = text.split_once("after")?;
        let rest = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds: u64 = rest[..end].parse().ok()?;
        rest[end..].trim_start().starts_with("sec").then(|| Duration::from_secs(seconds.min(3600)))
    }

    /// Code and message on one line, cut to a length that fits into an event.
    pub(super) fn detail(&self) -> String {
        if self.code.is_empty() && self.message.is_empty() {
            return "no reason given".to_owned();
        }
        let whole = format!("{}: {}", self.code, self.message);
        let line: String =
            whole.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        line.trim_matches([':', ' ']).to_owned()
    }
}

/// Appends every string in `value`, going a few levels deep into documents inside strings.
fn collect(value: &Value, text: &mut String, depth: u8) {
    match value {
        Value::String(string) => {
            text.push_str(string);
            text.push('\n');
            if depth < 4
                && string.starts_with('{')
                && let Ok(inner) = serde_json::from_str(string)
            {
                collect(&inner, text, depth + 1);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, text, depth)),
        Value::Object(map) => map.values().for_each(|inner| collect(inner, text, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use podid_core::code::Obstacle;
    use serde_json::json;

    use super::*;

    const ID: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a";

    type IsRight = fn(&Error) -> bool;

    fn judge(status: u16, document: &Value) -> Error {
        let sent = [IdentityResourceId::parse(ID).unwrap()];
        Problem::parse(document.to_string().as_bytes()).judge(status, None, "/vm", &sent)
    }

    #[test]
    fn the_status_decides_what_to_do() {
        let nothing = json!({"error": {"code": "C", "message": "m"}});
        let cases: [(u16, IsRight); 10] = [
            (400, |e| matches!(e, Error::Rejected { .. })),
            (401, |e| matches!(e, Error::Denied { .. })),
            (403, |e| matches!(e, Error::Denied { .. })),
            (404, |e| matches!(e, Error::NotFound { .. })),
            (409, |e| matches!(e, Error::Conflict { .. })),
            (412, |e| matches!(e, Error::Conflict { .. })),
            (429, |e| matches!(e, Error::Throttled { .. })),
            (500, |e| matches!(e, Error::Unavailable { .. })),
            (503, |e| matches!(e, Error::Unavailable { .. })),
            (307, |e| matches!(e, Error::Rejected { .. })),
        ];
        for (status, is_right) in cases {
            let error = judge(status, &nothing);
            assert!(is_right(&error), "{status}: {error:?}");
        }
    }

    #[test]
    fn named_identities_are_blamed_wherever_the_document_hides_them() {
        let inner =
            json!({"error": {"code": "BadRequest", "message": format!("Resource '{ID}' was not found.")}});
        let documents = [
            json!({"error": {"code": "LinkedAuthorizationFailed", "message": format!("scope(s) '{ID}' are invalid")}}),
            json!({"code": "FailedIdentityOperation", "message": format!("'{ID}'")}),
            json!({"error": {"code": "X", "message": "m", "details": [{"code": "Y", "message": format!("'{ID}'")}]}}),
            json!({"error": {"code": "X", "message": inner.to_string()}}),
        ];
        for document in documents {
            for status in [400, 403, 404] {
                let error = judge(status, &document);
                let Error::Identities { identities, .. } = &error else { panic!("{error:?}") };
                assert_eq!(identities.len(), 1);
            }
        }
    }

    #[test]
    fn what_people_can_do_about_an_error_has_a_code_of_its_own() {
        let error = |code: &str| json!({"error": {"code": code, "message": format!("about '{ID}'")}});
        let about_nobody = json!({"error": {"code": "AuthorizationFailed", "message": "no right"}});
        let cases = [
            (403, error("LinkedAuthorizationFailed"), Obstacle::NoOperatorRole),
            (400, error("FailedIdentityOperation"), Obstacle::IdentityDeleted),
            (400, error("InvalidParameter"), Obstacle::IdentityRefused),
            (403, about_nobody, Obstacle::NoMachineRole),
            (404, json!({}), Obstacle::MachineMissing),
            (409, json!({}), Obstacle::ArmTrouble),
            (429, json!({}), Obstacle::ArmTrouble),
            (503, json!({}), Obstacle::ArmTrouble),
        ];
        for (status, document, obstacle) in cases {
            assert_eq!(judge(status, &document).obstacle(), obstacle, "{status} {document}");
        }
    }

    #[test]
    fn throttling_inside_a_400_is_throttling() {
        let message = "Failed to perform resource identity operation. Status: 'TooManyRequests'. Response: \
                       'Too many requests, retry after 17 seconds'.";
        let error = judge(400, &json!({"error": {"code": "FailedIdentityOperation", "message": message}}));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
        let error = judge(400, &json!({"error": {"code": "TooManyRequests", "message": "slow down"}}));
        assert!(matches!(error, Error::Throttled { .. }));
    }

    #[test]
    fn what_is_passed_on_is_one_short_line() {
        let error = judge(400, &json!({"error": {"code": "C", "message": "line\nbreak".repeat(1000)}}));
        let text = error.to_string();
        assert!(!text.contains('\n') && text.len() < 2 * LONGEST, "{text}");
        let html = Problem::parse(b"<html>").judge(502, None, "/vm", &[]);
        assert_eq!(html.to_string(), "ARM is in trouble: status 502, no reason given");
    }

    #[test]
    fn a_failed_operation_is_judged_by_its_code() {
        let of = |code: &str| Problem::of(&json!({"code": code, "message": "m"})).judge_operation("/vm", &[]);
        assert!(matches!(of("Conflict"), Error::Conflict { .. }));
        assert!(matches!(of("InternalServerError"), Error::Unavailable { .. }));
        assert!(matches!(of("Other"), Error::Rejected { status: 200, .. }));
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(status in 100_u16..600, code in ".{0,20}", message in ".{0,60}", body in ".{0,60}") {
            let _ = Problem::parse(body.as_bytes()).judge(status, None, "/vm", &[]).to_string();
            let message = format!("{message} too many requests, retry after {body}");
            let _ = judge(status, &json!({"error": {"code": code, "message": message}})).to_string();
        }
    }
}
