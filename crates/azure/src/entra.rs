//! What does Entra answer to a service principal that asks for a token?
//!
//! One call is one attempt, as in [`crate::imds`]. Answers are never passed on: only Entra's code
//! word, its AADSTS number and our own hint for it appear in errors (W-03).

mod answer;
mod assertion;
pub mod certificate;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use self::answer::error_number;
pub use self::certificate::Certificate;
use crate::cloud::Authority;
use crate::http::Client;
use crate::token::Token;

/// The client of Entra.
#[derive(Clone, Debug)]
pub struct Entra {
    http: Client,
}

/// A request for a token.
#[derive(Clone, Debug)]
pub struct EntraQuery {
    /// Whom to ask; made only from allowed addresses.
    pub authority: Authority,
    /// The tenant, a GUID or a domain name.
    pub tenant: String,
    /// The application id.
    pub client_id: String,
    /// What the token is for (its audience).
    pub resource: String,
}

/// How the application proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client secret.
    Secret(SecretString),
    /// A certificate and its key, which sign an assertion.
    Certificate(Certificate),
    /// A file with a token of another issuer, exchanged for one of Entra's (workload identity).
    /// It is read anew for every request.
    TokenFile(PathBuf),
}

/// Why Entra gave no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Entra is asked too often.
    #[error("Entra is throttling requests")]
    Throttled {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Entra is unwell or out of reach: ask again later.
    #[error("Entra is in trouble: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Entra refuses the application: its credential, its registration or the resource has to change.
    #[error("Entra refuses the application: {code}{hint}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Entra's word for it, with its number.
        code: String,
        /// What to do about that number, beginning with `; `, or nothing.
        hint: &'static str,
    },
    /// The proof itself cannot be used: its owner has to replace it.
    #[error("the credential cannot be used: {0}")]
    Proof(String),
}

// === impl Entra ===

impl Entra {
    /// A client of Entra.
    pub fn new(http: Client) -> Self {
        Self { http }
    }

    /// Asks once for a token.
    pub async fn token(&self, query: &EntraQuery, proof: &Proof) -> Result<Token, Error> {
        let uri = query.endpoint()?;
        let form = render(query, &prove(query, proof).await?);
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self
            .http
            .send(request)
            .await
            .map_err(|error| Error::Unavailable { reason: error.to_string(), retry_after: None })?;
        answer::parse(&answer, &query.resource, jiff::Timestamp::now())
    }
}

// === impl EntraQuery ===

impl EntraQuery {
    /// The token endpoint, which is also the audience of an assertion. A tenant that is no name could
    /// lead to another path of the authority (W-03).
    fn endpoint(&self) -> Result<Uri, Error> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let good =
            !self.tenant.is_empty() && self.tenant.chars().all(is_name) && !self.tenant.starts_with('.');
        let uri = self.authority.token_endpoint(&self.tenant).parse();
        uri.ok().filter(|_| good).ok_or_else(|| {
            Error::Proof(format!("the tenant {:?} is neither a GUID nor a domain", self.tenant))
        })
    }
}

/// What of a proof goes into the form: a secret as it is, or an assertion.
enum Evidence<'a> {
    Secret(&'a SecretString),
    Assertion(SecretString),
}

async fn prove<'a>(query: &EntraQuery, proof: &'a Proof) -> Result<Evidence<'a>, Error> {
    Ok(match proof {
        Proof::Secret(secret) => Evidence::Secret(secret),
        Proof::Certificate(certificate) => Evidence::Assertion(assertion::sign(
            certificate,
            &query.client_id,
            &query.endpoint()?.to_string(),
            jiff::Timestamp::now(),
        )?),
        Proof::TokenFile(path) => Evidence::Assertion(read_token(path).await?),
    })
}

/// The form of the client credentials grant (RFC 6749 §4.4, RFC 7523 §2.2).
fn render(query: &EntraQuery, evidence: &Evidence<'_>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &query.client_id)
        .append_pair("resource", &query.resource);
    match evidence {
        Evidence::Secret(secret) => form.append_pair("client_secret", secret.expose_secret()),
        Evidence::Assertion(assertion) => form
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", assertion.expose_secret()),
    };
    form.finish()
}

async fn read_token(path: &PathBuf) -> Result<SecretString, Error> {
    let unusable = |problem: String| Error::Proof(format!("token file {} {problem}", path.display()));
    let text = tokio::fs::read_to_string(path)
        .await
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    match text.trim() {
        "" => Err(unusable("is empty".to_owned())),
        token => Ok(SecretString::from(token)),
    }
}

// === impl Error ===

impl Error {
    /// How long Entra asked us to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } | Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Refused { .. } | Self::Proof(_) => None,
        }
    }
}
