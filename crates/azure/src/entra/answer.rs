//! What does an answer of Entra's token endpoint mean?

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::Error;
use crate::http::retry_after;
use crate::token::Token;

/// The error document (RFC 6749 §5.2, with Entra's list of numbers); the fields that we read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: String,
    error_description: String,
    error_codes: Vec<u32>,
}

/// What to do about the commonest refusals (Entra documentation, "AADSTS error codes").
const HINTS: [(u32, &str); 12] = [
    (50001, "; the resource is not known in this tenant"),
    (500_011, "; the resource is not known in this tenant"),
    (53003, "; a conditional access policy blocks it"),
    (70021, "; no federated credential of the application has this issuer and subject"),
    (700_016, "; the application is not in this tenant: check clientID and tenantID"),
    (700_027, "; the certificate is not registered with the application"),
    (700_211, "; no federated credential of the application has this issuer"),
    (700_213, "; no federated credential of the application has this subject"),
    (700_024, "; the assertion is not valid now: check this machine's clock"),
    (7_000_215, "; the client secret is wrong: write its value, not its id, into the Secret"),
    (7_000_222, "; the client secret has expired: make a new one and write it into the Secret"),
    (90002, "; the tenant does not exist: check tenantID"),
];

/// Reads the answer to a request for `resource`, received at `now`.
pub(super) fn parse(answer: &Response<Bytes>, resource: &str, now: Timestamp) -> Result<Token, Error> {
    let status = answer.status();
    let retry_after = retry_after(answer.headers());
    if status == StatusCode::OK {
        return Token::parse(answer.body(), resource, now)
            .map_err(|error| Error::Unavailable { reason: error.to_string(), retry_after });
    }
    let problem: Problem = serde_json::from_slice(answer.body()).unwrap_or_default();
    let status = status.as_u16();
    Err(match status {
        429 => Error::Throttled { retry_after },
        408 | 500..=599 => Error::Unavailable { reason: format!("status {status}"), retry_after },
        _ if problem.error == "temporarily_unavailable" => {
            Error::Unavailable { reason: problem.error, retry_after }
        }
        _ => {
            let number = problem.number();
            let hint = HINTS.iter().find(|(of, _)| Some(*of) == number).map_or("", |(_, hint)| hint);
            Error::Refused { status, code: problem.code(status, number), hint }
        }
    })
}

/// The number of the first `AADSTS…` in a text.
pub(crate) fn error_number(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("AADSTS")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

// === impl Problem ===

impl Problem {
    fn number(&self) -> Option<u32> {
        self.error_codes.first().copied().or_else(|| error_number(&self.error_description))
    }

    /// Only a word of the standard's alphabet and a number: what a foreign server writes is not passed on.
    fn code(&self, status: u16, number: Option<u32>) -> String {
        let is_word = !self.error.is_empty()
            && self.error.len() <= 40
            && self.error.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        match (is_word, number) {
            (true, Some(number)) => format!("{} (AADSTS{number})", self.error),
            (true, None) => self.error.clone(),
            (false, Some(number)) => format!("AADSTS{number}"),
            (false, None) => format!("status {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn response(status: u16, body: &str) -> Response<Bytes> {
        let builder = Response::builder().status(status).header("retry-after", "9");
        builder.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn answer(status: u16, body: &str) -> Result<Token, Error> {
        parse(&response(status, body), "r", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_refusal_names_code_number_and_remedy_but_not_the_answer() {
        let body = r#"{"error":"invalid_client","error_codes":[7000215],
            "error_description":"AADSTS7000215: Invalid client secret provided for app 's3cret'. Trace ID: x"}"#;
        let error = answer(401, body).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Entra refuses the application: invalid_client (AADSTS7000215); the client secret is wrong: \
             write its value, not its id, into the Secret"
        );
        assert_eq!(error.retry_after(), None);
    }

    /// W-03.
    #[test]
    fn a_foreign_answer_is_not_echoed() {
        for body in ["s3cret", r#"{"error":"s3cret value"}"#, r#"{"error":"S3CRET"}"#] {
            let text = format!("{:?}", answer(403, body).unwrap_err());
            assert!(!text.to_ascii_lowercase().contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn trouble_can_be_waited_out() {
        let wait = Some(Duration::from_secs(9));
        for status in [408, 500, 503] {
            let error = answer(status, "").unwrap_err();
            assert!(matches!(error, Error::Unavailable { .. }), "{status}");
            assert_eq!(error.retry_after(), wait);
        }
        assert!(matches!(answer(429, ""), Err(Error::Throttled { retry_after }) if retry_after == wait));
        let soon = r#"{"error":"temporarily_unavailable"}"#;
        assert!(matches!(answer(400, soon), Err(Error::Unavailable { .. })));
        assert!(matches!(answer(302, ""), Err(Error::Refused { .. })));
        assert!(matches!(answer(200, "<html>"), Err(Error::Unavailable { .. })));
    }

    #[test]
    fn finds_the_number_in_a_description() {
        let cases = [
            ("AADSTS70021: No matching federated identity", Some(70021)),
            ("x AADSTS50001", Some(50001)),
            ("AADSTS", None),
            ("AADSTS99999999999", None),
            ("", None),
        ];
        for (text, number) in cases {
            assert_eq!(error_number(text), number, "{text}");
        }
    }
}
