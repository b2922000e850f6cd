//! How does a request leave this process, and in which ways can it fail?
//!
//! One client for IMDS, Entra and ARM: HTTP/1.1 with kept-alive connections, one deadline over the
//! whole call, a limit on the answer's size, and no redirects (a redirect is an answer like any
//! other). TLS trusts the system's roots, or the file in `SSL_CERT_FILE`, and is built when first
//! used. `https` goes through `HTTPS_PROXY` unless `NO_PROXY` names the host; plain `http`, which
//! is IMDS, always goes directly.

mod connect;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use podid_core::retry;

use self::connect::Connector;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Value of the `User-Agent` header.
    pub user_agent: String,
    /// Longest time for a connection to come about.
    pub connect: Duration,
    /// Longest time for a whole call, unless the call says otherwise.
    pub call: Duration,
    /// Largest body that is accepted, in bytes.
    pub body: usize,
    /// Whether `HTTPS_PROXY` and `NO_PROXY` of the environment are obeyed.
    pub proxy_from_environment: bool,
}

/// Sends requests. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    agent: HeaderValue,
    plain: legacy::Client<HttpConnector, Full<Bytes>>,
    secure: OnceLock<Result<SecureClient, String>>,
}

type SecureClient = legacy::Client<HttpsConnector<Connector>, Full<Bytes>>;

/// Why there is no answer.
///
/// Names the host only: paths and queries may hold what must not be logged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No connection came about, so the request had no effect: it may be sent again.
    #[error("cannot connect to {host}: {reason}")]
    NotSent {
        /// Whom we tried to reach.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The server's certificate is not trusted: somebody has to change the trust, or is in between.
    #[error(
        "{host} is not trusted: {reason}; if it is behind a private CA, name the CA's file in SSL_CERT_FILE"
    )]
    Untrusted {
        /// Whom we tried to reach.
        host: String,
        /// What is wrong with its certificate.
        reason: String,
    },
    /// The request was sent and no whole answer came: it may have had its effect.
    #[error("no answer from {host}: {reason}")]
    Unanswered {
        /// Who did not answer.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer is larger than we accept.
    #[error("the answer of {host} is larger than {limit} bytes")]
    TooLarge {
        /// Who answered.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// The request cannot be sent at all; a mistake in configuration.
    #[error("cannot send a request: {0}")]
    Unsendable(String),
}

// === impl Settings ===

impl Settings {
    /// The usual limits: 10 s to connect, 30 s for a call, 4 MiB of answer, the proxy of the environment.
    pub fn new(user_agent: impl Into<String>) -> Self {
        Self {
            user_agent: user_agent.into(),
            connect: Duration::from_secs(10),
            call: Duration::from_secs(30),
            body: 4 << 20,
            proxy_from_environment: true,
        }
    }
}

// === impl Client ===

impl Client {
    /// A client. Needs no network, no certificates and no runtime yet.
    pub fn new(settings: Settings) -> Self {
        let agent = HeaderValue::from_str(&settings.user_agent)
            .unwrap_or_else(|_| HeaderValue::from_static(env!("CARGO_PKG_NAME")));
        let plain = connect::pool().build(connect::tcp(settings.connect));
        Self { inner: Arc::new(Inner { settings, agent, plain, secure: OnceLock::new() }) }
    }

    /// Sends `request` and returns the whole answer, whatever its status.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.send_within(request, self.inner.settings.call).await
    }

    /// The same, with a deadline of its own.
    pub async fn send_within(
        &self,
        request: Request<Bytes>,
        deadline: Duration,
    ) -> Result<Response<Bytes>, Error> {
        let host = host(request.uri());
        let late =
            || Error::Unanswered { host: host.clone(), reason: format!("timed out after {deadline:?}") };
        tokio::time::timeout(deadline, self.exchange(request, &host)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, request: Request<Bytes>, host: &str) -> Result<Response<Bytes>, Error> {
        let mut request = request.map(Full::new);
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| self.inner.agent.clone());
        let answer = if request.uri().scheme() == Some(&Scheme::HTTP) {
            self.inner.plain.request(request).await
        } else {
            self.inner.secure()?.request(request).await
        };
        let (parts, body) = answer.map_err(|error| Error::from_exchange(host, &error))?.into_parts();
        let limit = self.inner.settings.body;
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Error::TooLarge { host: host.to_owned(), limit }
            } else {
                Error::Unanswered { host: host.to_owned(), reason: root(error.as_ref()) }
            }
        })?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

impl Inner {
    fn secure(&self) -> Result<&SecureClient, Error> {
        let built = self.secure.get_or_init(|| {
            let proxy = if self.settings.proxy_from_environment {
                Matcher::from_env()
            } else {
                Matcher::builder().build()
            };
            let connector = Connector::new(connect::tcp(self.settings.connect), proxy);
            Ok(connect::pool().build(connect::tls(connector)?))
        });
        built.as_ref().map_err(|reason| Error::Unsendable(reason.clone()))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

// === impl Error ===

impl Error {
    /// How the attempt failed, for [`podid_core::retry`]; `None` where another attempt cannot help.
    pub fn failure(&self) -> Option<retry::Failure> {
        match self {
            Self::NotSent { .. } => Some(retry::Failure::NotSent),
            Self::Unanswered { .. } => Some(retry::Failure::Unanswered),
            Self::Untrusted { .. } | Self::TooLarge { .. } | Self::Unsendable(_) => None,
        }
    }

    fn from_exchange(host: &str, error: &legacy::Error) -> Self {
        let (host, reason) = (host.to_owned(), root(error));
        if is_about_trust(error) {
            Self::Untrusted { host, reason }
        } else if error.is_connect() {
            Self::NotSent { host, reason }
        } else {
            Self::Unanswered { host, reason }
        }
    }
}

/// How long an answer asks us to wait: its `Retry-After` header, in seconds or as a date.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(text, jiff::Timestamp::now())
}

fn host(uri: &Uri) -> String {
    uri.host().unwrap_or("(no host)").to_owned()
}

fn is_about_trust(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        // An io::Error hides what it wraps from `source`.
        match (cause.downcast_ref(), cause.downcast_ref().and_then(std::io::Error::get_ref)) {
            (Some(rustls::Error::InvalidCertificate(_)), _) => true,
            (_, Some(inner)) => is_about_trust(inner),
            _ => false,
        }
    })
}

/// The innermost cause: what an operator can act on.
fn root(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
