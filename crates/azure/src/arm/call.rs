//! How is one call to ARM sent: paced, signed, repeated where that is safe?

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use podid_core::ids::IdentityResourceId;
use podid_core::retry::{self, Attempt, Failure, Verdict};
use podid_core::throttle::Admission;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::sleep;

use super::pace::Bucket;
use super::problem::Problem;
use super::{Error, Inner};
use crate::token::Token;
use crate::tokens::Failure as NoToken;
use crate::{credential, jitter};

/// One call. All of ours may be repeated: reads, and PATCHes that say what shall be.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) bucket: Bucket,
    pub(super) body: Option<Body<'a>>,
    /// The resource, for messages.
    pub(super) about: &'a str,
}

/// What a call carries.
pub(super) struct Body<'a> {
    pub(super) json: Value,
    /// The entity tag that the resource must still have.
    pub(super) etag: Option<&'a str>,
}

/// How a call ended that had no success.
#[derive(Debug)]
pub(super) enum Fault {
    /// ARM said no.
    Refused { status: u16, problem: Problem, retry_after: Option<Duration> },
    /// ARM said nothing, or nothing whole.
    Unanswered(crate::http::Error),
    /// The budget is used up for longer than we are willing to wait.
    Spent(Duration),
    /// There is no token to sign with.
    Login(NoToken<credential::Error>),
    /// It was not sent, because what should lead to the resource is no ARM id.
    NotAnId,
    /// It was not sent, because this part of it cannot stand in a request.
    Unsendable(&'static str),
}

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'(').remove(b')');

impl Inner {
    /// The address of the resource or list with the ARM id `id`, in a version of its API.
    pub(super) fn url(&self, id: &str, version: &str) -> Result<String, Fault> {
        let segments: Vec<&str> = id.trim_start_matches('/').split('/').collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            return Err(Fault::NotAnId);
        }
        let path: Vec<String> =
            segments.iter().map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect();
        Ok(format!("{}{}?api-version={version}", self.endpoint, path.join("/")))
    }

    /// Sends `call` and returns an answer with a 2xx status. `sent` are the identities that an error may blame.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        sent: &[IdentityResourceId],
    ) -> Result<Response<Bytes>, Error> {
        let about = call.about;
        self.exchange(call).await.map_err(|fault| fault.judge(about, sent))
    }

    /// Sends `call` and returns an answer with a 2xx status.
    pub(super) async fn exchange(&self, call: Call<'_>) -> Result<Response<Bytes>, Fault> {
        let mut has_renewed = false;
        let mut number = 1;
        loop {
            self.wait_for_budget(&call).await?;
            let token = self.credential.token(&self.endpoint).await.map_err(Fault::Login)?.value;
            let outcome = self.http.send(call.render(&token)?).await;
            let (fault, failure, asked) = match outcome {
                Ok(answer) => {
                    let status = answer.status();
                    self.pace.learn(&call.bucket, status.as_u16(), answer.headers());
                    tracing::debug!(method = %call.method, about = call.about, status = status.as_u16(), number, "ARM answered");
                    if status.is_success() {
                        return Ok(answer);
                    }
                    if status == StatusCode::UNAUTHORIZED && !has_renewed {
                        self.credential.refused(&self.endpoint, &token);
                        has_renewed = true;
                        continue;
                    }
                    let retry_after = crate::http::retry_after(answer.headers());
                    let (status, problem) = (status.as_u16(), Problem::parse(answer.body()));
                    let fault = Fault::Refused { status, problem, retry_after };
                    (fault, Some(Failure::Status(status)), retry_after)
                }
                Err(error) => {
                    let failure = error.failure();
                    (Fault::Unanswered(error), failure, None)
                }
            };
            let verdict = failure.map_or(Verdict::GiveUp, |failure| {
                let attempt =
                    Attempt { number, failure, retry_after: asked, repeatable: true, jitter: jitter::draw() };
                retry::decide(&self.settings.retry, &attempt)
            });
            match verdict {
                Verdict::GiveUp => return Err(fault),
                Verdict::After(wait) => sleep(wait).await,
            }
            number += 1;
        }
    }

    /// Waits until the budget allows the call; fails if that would take longer than our patience.
    async fn wait_for_budget(&self, call: &Call<'_>) -> Result<(), Fault> {
        loop {
            match self.pace.take(&call.bucket) {
                Admission::Go => return Ok(()),
                Admission::Wait(wait) if wait <= self.settings.retry.patience => sleep(wait).await,
                Admission::Wait(retry_after) => return Err(Fault::Spent(retry_after)),
            }
        }
    }
}

// === impl Fault ===

impl Fault {
    /// What it means to a role that puts identities on `target`.
    pub(super) fn judge(self, target: &str, sent: &[IdentityResourceId]) -> Error {
        match self {
            Self::Refused { status, problem, retry_after } => {
                problem.judge(status, retry_after, target, sent)
            }
            Self::Unanswered(error) => Error::Unavailable { reason: error.to_string(), retry_after: None },
            Self::Spent(retry_after) => Error::Throttled { target: target.to_owned(), retry_after },
            Self::Login(failure) => Error::Login(failure),
            Self::NotAnId => {
                let detail = "its id is not an ARM id".to_owned();
                Error::Rejected { target: target.to_owned(), status: 400, detail }
            }
            Self::Unsendable(what) => {
                Error::Unavailable { reason: format!("{what} cannot be sent"), retry_after: None }
            }
        }
    }
}

// === impl Call ===

impl Call<'_> {
    fn render(&self, token: &Token) -> Result<Request<Bytes>, Fault> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.access_token.expose_secret()))
            .map_err(|_| Fault::Unsendable("the token"))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.url)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json")
            .header("x-ms-client-request-id", uuid::Uuid::new_v4().to_string());
        let mut bytes = Bytes::new();
        if let Some(body) = &self.body {
            request = request.header(CONTENT_TYPE, "application/json; charset=utf-8");
            if let Some(etag) = body.etag {
                request = request.header(IF_MATCH, etag);
            }
            bytes = body.json.to_string().into();
        }
        request.body(bytes).map_err(|_| Fault::Unsendable("the request"))
    }
}
