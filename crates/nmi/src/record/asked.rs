//! What is known of a request as soon as it is there?

use std::net::IpAddr;

use http::{HeaderValue, Method, Request};
use podid_core::redact::Foreign;

/// The header by which SDKs number their requests.
const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";

/// Longest number of a request that is repeated, in bytes: a GUID in braces, and some room.
const LONGEST_ID: usize = 64;

/// Which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The token route.
    Token,
    /// The host token route.
    HostToken,
    /// Any other that is not every pod's.
    Other,
}

/// A request without what it wants.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) route: Route,
    pub(crate) method: Method,
    pub(crate) peer: IpAddr,
    /// As written; for routes that have a name, the name says it.
    path: String,
    client_request_id: Option<HeaderValue>,
}

// === impl Route ===

impl Route {
    /// Its fixed name in log and metrics; the others have none.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Token => Some("/metadata/identity/oauth2/token"),
            Self::HostToken => Some("/host/token/"),
            Self::Other => None,
        }
    }
}

// === impl Asked ===

impl Asked {
    pub(crate) fn new<B>(request: &Request<B>, peer: IpAddr, route: Route) -> Self {
        Self {
            route,
            method: request.method().clone(),
            peer: peer.to_canonical(),
            path: route.name().map_or_else(|| request.uri().path().to_owned(), |_| String::new()),
            client_request_id: request.headers().get(CLIENT_REQUEST_ID).cloned(),
        }
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> Foreign<'_> {
        Foreign(self.route.name().unwrap_or(&self.path))
    }

    /// The caller's number of the request, if it may be repeated.
    pub(crate) fn client_request_id(&self) -> Option<&str> {
        let id = self.client_request_id.as_ref()?.to_str().ok()?;
        (id.len() <= LONGEST_ID).then_some(id)
    }
}
