//! What does an answer of the token route mean?

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::Error;
use crate::http::retry_after;
use crate::token::Token;

/// The error document of IMDS; the fields that we read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
    error_description: String,
}

/// Reads the answer to a request for `resource`, received at `now`.
pub(super) fn parse(answer: &Response<Bytes>, resource: &str, now: Timestamp) -> Result<Token, Error> {
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    if status == StatusCode::OK {
        return Token::parse(answer.body(), resource, now)
            .map_err(|error| Error::Unavailable { reason: error.to_string(), retry_after });
    }
    let problem: Problem = serde_json::from_slice(answer.body()).unwrap_or_default();
    Err(match status.as_u16() {
        429 => Error::Throttled { retry_after },
        // 410 while IMDS is updated, 404 while the machine's identity is set up (IMDS documentation, retry guidance).
        404 | 408 | 410 | 500..=599 => {
            Error::Unavailable { reason: format!("status {}", status.as_u16()), retry_after }
        }
        400 if problem.is_identity_not_found() => Error::IdentityNotFound,
        status => Error::Refused { status, code: problem.code() },
    })
}

// === impl Problem ===

impl Problem {
    fn is_identity_not_found(&self) -> bool {
        self.error_description.to_ascii_lowercase().contains("identity not found")
    }

    /// The code word and Entra's number. Free text is left out: it repeats what the caller sent.
    fn code(&self) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let word = match self.error.as_str() {
            word if !word.is_empty() && word.len() <= 64 && word.chars().all(is_word) => word,
            _ => "no error code",
        };
        match crate::entra::error_number(&self.error_description) {
            Some(number) => format!("{word} (AADSTS{number})"),
            None => word.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn response(status: u16, retry_after: Option<&str>, body: &str) -> Response<Bytes> {
        let mut builder = Response::builder().status(status);
        if let Some(value) = retry_after {
            builder = builder.header("retry-after", value);
        }
        builder.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Result<Token, Error> {
        parse(&response(status, retry_after, body), "r", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn errors_are_classified_by_what_to_do_next() {
        let not_found = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        assert!(matches!(answer(400, None, not_found), Err(Error::IdentityNotFound)));
        for status in [404, 408, 410, 500, 502, 503, 504] {
            assert!(matches!(answer(status, None, ""), Err(Error::Unavailable { .. })), "{status}");
        }
        for status in [301, 307, 400, 401, 403, 405] {
            assert!(matches!(answer(status, None, "<html>"), Err(Error::Refused { .. })), "{status}");
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_passed_on() {
        let error = answer(429, Some("7"), "").unwrap_err();
        assert!(matches!(error, Error::Throttled { .. }));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(answer(503, Some("3"), "").unwrap_err().retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(answer(429, None, "").unwrap_err().retry_after(), None);
    }

    #[test]
    fn a_refusal_names_the_code_and_nothing_the_caller_sent() {
        let body = r#"{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named s3cret was not found"}"#;
        let text = answer(400, None, body).unwrap_err().to_string();
        assert_eq!(text, "IMDS refuses the request with status 400, invalid_resource (AADSTS500011)");
        let text =
            answer(400, None, r#"{"error":"<s3cret>","error_description":""}"#).unwrap_err().to_string();
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_success_without_a_token_is_trouble() {
        assert!(matches!(answer(200, None, "{}"), Err(Error::Unavailable { .. })));
    }
}
