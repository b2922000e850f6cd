//! What does the machine's metadata service (IMDS) answer?
//!
//! One call is one attempt. Whoever calls decides when to ask again, from the error's variant
//! (see [`podid_core::retry`]); the token cache does so for NMI and MIC.

mod answer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use podid_core::ids::{ClientId, IdentityResourceId, PrincipalId};

use crate::http::Client;
use crate::token::Token;

/// Where IMDS is on every Azure machine.
pub const DEFAULT_BASE: &str = "http://169.254.169.254";

/// The version of the token route; every identity feature that we use is in it.
const API_VERSION: &str = "2018-02-01";

/// IMDS answers within milliseconds; after a fresh assignment it may take seconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// The client of IMDS.
#[derive(Clone, Debug)]
pub struct Imds {
    http: Client,
    base: String,
}

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImdsQuery {
    /// What the token is for (its audience).
    pub resource: String,
    /// Whose token.
    pub by: Selector,
    /// Whether IMDS shall look into no cache of its own (`bypass_cache`).
    pub fresh: bool,
}

/// Which of the machine's identities is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The user-assigned identity with this ARM id.
    ResourceId(IdentityResourceId),
    /// The identity with this client id.
    ClientId(ClientId),
    /// The identity with this object id.
    ObjectId(PrincipalId),
    /// The system-assigned one, else the only one there is.
    None,
}

/// Why IMDS gave no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The identity is not on this machine, or not yet: IMDS learns of a new assignment a little later.
    #[error("IMDS does not find the identity on this machine (it may need a moment after an assignment)")]
    IdentityNotFound,
    /// IMDS is asked too often.
    #[error("IMDS is throttling this machine{}", for_how_long(*retry_after))]
    Throttled {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// IMDS is unwell or out of reach: ask again later.
    #[error("IMDS is in trouble: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// IMDS will never answer this request: something in it has to change.
    #[error("IMDS refuses the request with status {status}, {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// IMDS's own word for it, such as `invalid_resource`, with Entra's number where there is one.
        code: String,
    },
}

// === impl Imds ===

impl Imds {
    /// A client of the IMDS at `base` (usually [`DEFAULT_BASE`]).
    pub fn new(http: Client, base: impl Into<String>) -> Self {
        let base: String = base.into();
        Self { http, base: base.trim_end_matches('/').to_owned() }
    }

    /// Asks once for a token. The answer's client id is in the token: whoever asked by resource id
    /// compares it.
    pub async fn token(&self, query: &ImdsQuery) -> Result<Token, Error> {
        let uri = format!("{}/metadata/identity/oauth2/token?{}", self.base, query.render());
        let uri = uri.parse().map_err(|_| Error::refused(0, "unusable_address"))?;
        let mut headers = HeaderMap::new();
        headers.insert("metadata", HeaderValue::from_static("true"));
        let answer = self.send(uri, headers).await.map_err(Error::from)?;
        answer::parse(&answer, &query.resource, jiff::Timestamp::now())
    }

    /// Passes a GET on as it is: `path_and_query` begins with a slash, `headers` are sent unchanged
    /// but for the host, and the answer is returned whatever its status.
    pub async fn get(
        &self,
        path_and_query: &str,
        headers: HeaderMap,
    ) -> Result<Response<Bytes>, crate::http::Error> {
        let uri = format!("{}{path_and_query}", self.base)
            .parse()
            .map_err(|_| crate::http::Error::Unsendable("the path is not one".to_owned()))?;
        self.send(uri, headers).await
    }

    async fn send(&self, uri: Uri, headers: HeaderMap) -> Result<Response<Bytes>, crate::http::Error> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.http.send_within(request, DEADLINE).await
    }
}

// === impl ImdsQuery ===

impl ImdsQuery {
    fn render(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("api-version", API_VERSION).append_pair("resource", &self.resource);
        match &self.by {
            Selector::ResourceId(id) => query.append_pair("msi_res_id", id.as_str()),
            Selector::ClientId(id) => query.append_pair("client_id", id.as_str()),
            Selector::ObjectId(id) => query.append_pair("object_id", id.as_str()),
            Selector::None => &mut query,
        };
        if self.fresh {
            query.append_pair("bypass_cache", "true");
        }
        query.finish()
    }
}

// === impl Error ===

impl Error {
    /// How long IMDS asked us to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::IdentityNotFound | Self::Refused { .. } => None,
        }
    }

    fn refused(status: u16, code: &str) -> Self {
        Self::Refused { status, code: code.to_owned() }
    }
}

impl From<crate::http::Error> for Error {
    fn from(error: crate::http::Error) -> Self {
        Self::Unavailable { reason: error.to_string(), retry_after: None }
    }
}

fn for_how_long(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(" for {} s", wait.as_secs())).unwrap_or_default()
}
