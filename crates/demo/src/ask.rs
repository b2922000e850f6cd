//! How is one question put to a service, and what is said when it fails?
//!
//! As an SDK does: 429 and 5xx are asked again after what `Retry-After` says, other refusals are final.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use podid_azure::http::{Client, Error};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// How often a question is put before the demo gives up.
const ATTEMPTS: u32 = 3;
/// How long one answer may take; the original's budget for a token.
const PATIENCE: Duration = Duration::from_secs(80);
/// The pause before the next attempt when the service names none.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that the demo is willing to make.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What of a foreign message fits on a line, in characters.
const LINE: usize = 600;

/// A GET that has not been sent yet.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) url: String,
    pub(crate) bearer: Option<SecretString>,
    pub(crate) metadata: bool,
}

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// An argument that the check needs is missing.
    #[error("{0}")]
    Missing(String),
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] Error),
    /// The service said no.
    #[error("status {}: {reason}", .status.as_u16())]
    Refused { status: StatusCode, reason: String },
    /// An answer that is not what the service promises.
    #[error("{0}")]
    Unexpected(String),
}

/// The two shapes that errors have: IMDS and Entra, ARM and Key Vault.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorBody {
    Flat {
        error: String,
        #[serde(default)]
        error_description: String,
    },
    Nested {
        error: Inner,
    },
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

// === impl Question ===

impl Question {
    /// A question to the metadata service.
    pub(crate) fn metadata(url: String) -> Self {
        Self { url, bearer: None, metadata: true }
    }

    /// A question to a service that wants a token.
    pub(crate) fn bearing(url: String, token: &SecretString) -> Self {
        Self { url, bearer: Some(token.clone()), metadata: false }
    }

    /// The answer's body, if it is a success.
    pub(crate) async fn ask(&self, client: &Client) -> Result<Bytes, Failure> {
        let answer = self.answer(client).await?;
        if answer.status().is_success() { Ok(answer.into_body()) } else { Err(refusal(&answer)) }
    }

    /// The answer, whatever its status, after as many attempts as it deserves.
    pub(crate) async fn answer(&self, client: &Client) -> Result<Response<Bytes>, Failure> {
        let mut attempt = 1;
        loop {
            let answer = client.send_within(self.request()?, PATIENCE).await;
            match pause(&answer) {
                Some(pause) if attempt < ATTEMPTS => tokio::time::sleep(pause).await,
                _ => return Ok(answer?),
            }
            attempt += 1;
        }
    }

    fn request(&self) -> Result<Request<Bytes>, Failure> {
        let mut request = Request::get(&self.url)
            .body(Bytes::new())
            .map_err(|error| Failure::Missing(format!("{} is not an address: {error}", self.url)))?;
        if self.metadata {
            request.headers_mut().insert("metadata", HeaderValue::from_static("true"));
        }
        if let Some(token) = &self.bearer {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Failure::Unexpected("the token holds characters that no token has".into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// How long to wait before asking again; nothing when the answer is final.
fn pause(answer: &Result<Response<Bytes>, Error>) -> Option<Duration> {
    match answer {
        Ok(answer) => {
            let again = answer.status() == StatusCode::TOO_MANY_REQUESTS || answer.status().is_server_error();
            again.then(|| retry_after(answer).unwrap_or(PAUSE).min(LONGEST_PAUSE))
        }
        Err(Error::NotSent { .. } | Error::Unanswered { .. }) => Some(PAUSE),
        Err(_) => None,
    }
}

fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What a refusal says: its code and message, or nothing of the body if that is not an error's.
pub(crate) fn refusal(answer: &Response<Bytes>) -> Failure {
    let said = match serde_json::from_slice(answer.body()) {
        Ok(ErrorBody::Flat { error, error_description }) => format!("{error}: {error_description}"),
        Ok(ErrorBody::Nested { error }) => format!("{}: {}", error.code, error.message),
        Err(_) => "no reason given".to_owned(),
    };
    Failure::Refused { status: answer.status(), reason: one_line(&said) }
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(LINE).collect()
}
