//! How is one call to ARM sent: paced, signed, repeated where that is safe?

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
use super::{COMPUTE_VERSION, Error, Inner};
use crate::jitter;
use crate::token::Token;

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

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'(').remove(b')');

impl Inner {
    /// The address of the compute resource or list with the ARM id `id`.
    pub(super) fn url(&self, id: &str) -> Result<String, Error> {
        let segments: Vec<&str> = id.trim_start_matches('/').split('/').collect();
        if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
            let detail = "its id is not an ARM id".to_owned();
            return Err(Error::Rejected { target: id.to_owned(), status: 400, detail });
        }
        let path: Vec<String> =
            segments.iter().map(|segment| utf8_percent_encode(segment, SEGMENT).to_string()).collect();
        Ok(format!("{}{}?api-version={COMPUTE_VERSION}", self.endpoint, path.join("/")))
    }

    /// Sends `call` and returns an answer with a 2xx status. `sent` are the identities that an error may blame.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        sent: &[IdentityResourceId],
    ) -> Result<Response<Bytes>, Error> {
        let mut has_renewed = false;
        let mut number = 1;
        loop {
            self.wait_for_budget(&call).await?;
            let token = self.credential.token(&self.endpoint).await?.value;
            let outcome = self.http.send(call.render(&token)?).await;
            let (error, failure, asked) = match outcome {
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
                    let asked = crate::http::retry_after(answer.headers());
                    let problem = Problem::parse(answer.body());
                    let error = problem.judge(status.as_u16(), asked, call.about, sent);
                    (error, Some(Failure::Status(status.as_u16())), asked)
                }
                Err(error) => {
                    let failure = error.failure();
                    (Error::Unavailable { reason: error.to_string(), retry_after: None }, failure, None)
                }
            };
            let verdict = failure.map_or(Verdict::GiveUp, |failure| {
                let attempt =
                    Attempt { number, failure, retry_after: asked, repeatable: true, jitter: jitter::draw() };
                retry::decide(&self.settings.retry, &attempt)
            });
            match verdict {
                Verdict::GiveUp => return Err(error),
                Verdict::After(wait) => sleep(wait).await,
            }
            number += 1;
        }
    }

    /// Waits until the budget allows the call; fails if that would take longer than our patience.
    async fn wait_for_budget(&self, call: &Call<'_>) -> Result<(), Error> {
        loop {
            match self.pace.take(&call.bucket) {
                Admission::Go => return Ok(()),
                Admission::Wait(wait) if wait <= self.settings.retry.patience => sleep(wait).await,
                Admission::Wait(retry_after) => {
                    return Err(Error::Throttled { target: call.about.to_owned(), retry_after });
                }
            }
        }
    }
}

// === impl Call ===

impl Call<'_> {
    fn render(&self, token: &Token) -> Result<Request<Bytes>, Error> {
        let unsendable =
            |what: &str| Error::Unavailable { reason: format!("{what} cannot be sent"), retry_after: None };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.access_token.expose_secret()))
            .map_err(|_| unsendable("the token"))?;
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
        request.body(bytes).map_err(|_| unsendable("the request"))
    }
}
