//! What does this request ask for, going by nothing but its own bytes?
//!
//! The path is decided once, here (design §6, "look-alike paths"): a path that is not written
//! plainly is refused, so what we compared is what IMDS would see. Probes of SDKs are answered
//! here too, before anyone looks up a pod or waits.

mod path;
mod query;

use crate::ids::{ClientId, IdentityResourceId, ObjectRef, PrincipalId};
use crate::redact::Foreign;
use crate::refusal::{Cause, Refusal};

/// What the caller wrote, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a, H> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Path and query as they stood in the request line.
    pub target: &'a str,
    /// Name and value of each header; names in any case.
    pub headers: H,
}

/// Which of the original's switches are on (peer contract §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Requests need the header `Metadata: true`.
    pub metadata_header_required: bool,
    /// `/metadata/instance` is refused.
    pub block_instance_metadata: bool,
    /// `/host/token/` exists.
    pub host_token_route: bool,
    /// What pods without an exception may ask IMDS.
    pub pass_through: PassThrough,
}

/// How far requests that are not for tokens reach IMDS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PassThrough {
    /// GET of instance metadata and versions.
    #[default]
    Instance,
    /// Whatever lies under `/metadata` but identity paths, by any method, as in the original.
    All,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A token for the pod that calls.
    Token(TokenRequest),
    /// A token for the pod that the headers name; only the node itself may ask.
    HostToken {
        /// The pod.
        pod: ObjectRef,
        /// The token wanted.
        token: TokenRequest,
    },
    /// GET of instance metadata, which every pod may read.
    Instance,
    /// GET of the list of API versions, which every pod may read.
    Versions,
    /// Anything else under `/metadata` where every pod may ask for it.
    Open,
    /// Anything else that IMDS may know; for excepted pods only.
    Other,
    /// An SDK that looks whether there is an IMDS: it gets this refusal, which tells it yes.
    Probe(Refusal),
    /// A request that gets this refusal whoever sent it.
    Refuse(Refusal),
}

/// A token that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The resource (audience), as written: a trailing slash matters.
    pub resource: String,
    /// Which identity.
    pub selector: Selector,
    /// `bypass_cache=true`: not one from a cache, because its audience refused that one.
    pub fresh: bool,
}

/// How a caller names the identity that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// It does not: the pod's only one, or its first.
    Any,
    /// `client_id`.
    Client(ClientId),
    /// `msi_res_id` or `mi_res_id`.
    Resource(IdentityResourceId),
    /// `object_id`.
    Principal(PrincipalId),
}

/// Headers that decide something.
#[derive(Default)]
struct Marks<'a> {
    metadata: Option<&'a [u8]>,
    forwarded: bool,
    pod_namespace: Option<&'a [u8]>,
    pod_name: Option<&'a [u8]>,
}

/// Reads a request. Never fails: what cannot be read is refused.
pub fn parse<'a, H>(raw: Raw<'a, H>, rules: Rules) -> Request
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
{
    let (written, query) = raw.target.split_once('?').unwrap_or((raw.target, ""));
    let route = match path::route(written) {
        Ok(route) => route,
        Err(refusal) => return Request::Refuse(refusal),
    };
    let marks = Marks::read(raw.headers);
    match route {
        path::Route::HostToken => host_token(raw.method, &marks, query, rules),
        path::Route::Instance if rules.block_instance_metadata => Request::Refuse(Refusal::forbidden(
            Cause::InstanceBlocked,
            "Request blocked by AAD Pod Identity NMI",
        )),
        route => guest(route, raw.method, &marks, query, rules),
    }
}

/// Everything that pods send.
fn guest(route: path::Route, method: &str, marks: &Marks<'_>, query: &str, rules: Rules) -> Request {
    if rules.metadata_header_required && marks.metadata != Some(b"true") {
        return Request::Probe(Refusal::invalid(
            Cause::NoMetadataHeader,
            "Required metadata header not specified",
        ));
    }
    if marks.forwarded {
        return Request::Refuse(Refusal::invalid(
            Cause::Forwarded,
            "A request with the header X-Forwarded-For came through a proxy and gets no answer; \
             call the metadata address directly.",
        ));
    }
    match route {
        path::Route::Token if method != "GET" => Request::Refuse(get_only(method)),
        path::Route::Token => match query::token(query) {
            Ok(token) => Request::Token(token),
            Err(query::Unfit::NoResource(refusal)) => Request::Probe(refusal),
            Err(query::Unfit::Wrong(refusal)) => Request::Refuse(refusal),
        },
        path::Route::Instance if method == "GET" => Request::Instance,
        path::Route::Versions if method == "GET" => Request::Versions,
        path::Route::Instance | path::Route::Versions | path::Route::Metadata
            if rules.pass_through == PassThrough::All =>
        {
            Request::Open
        }
        _ => Request::Other,
    }
}

/// As IMDS says it, of HEAD too: a token is never asked for without its body.
fn get_only(method: &str) -> Refusal {
    Refusal::wrong_method(format!("Tokens are asked for by GET, not by {}.", Foreign(method)))
}

fn host_token(method: &str, marks: &Marks<'_>, query: &str, rules: Rules) -> Request {
    if !rules.host_token_route {
        return Request::Refuse(Refusal::forbidden(
            Cause::HostTokenOff,
            "The route /host/token/ is off: it gives any program on the node any pod's token. \
             Start NMI with --host-token-route if a program on this node still needs it.",
        ));
    }
    if method != "GET" {
        return Request::Refuse(get_only(method));
    }
    let text = |value: Option<&[u8]>| {
        value.and_then(|value| str::from_utf8(value).ok()).map(str::to_owned).filter(|text| !text.is_empty())
    };
    let (Some(namespace), Some(name)) = (text(marks.pod_namespace), text(marks.pod_name)) else {
        return Request::Refuse(Refusal::invalid(
            Cause::HostTokenUnnamed,
            "missing 'podname' and 'podns' from request header",
        ));
    };
    match query::token(query) {
        Ok(token) => Request::HostToken { pod: ObjectRef::new(namespace, name), token },
        Err(query::Unfit::NoResource(refusal) | query::Unfit::Wrong(refusal)) => Request::Refuse(refusal),
    }
}

// === impl Marks ===

impl<'a> Marks<'a> {
    fn read(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut marks = Self::default();
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("metadata") {
                marks.metadata.get_or_insert(value);
            } else if name.eq_ignore_ascii_case("x-forwarded-for") {
                marks.forwarded = true;
            } else if name.eq_ignore_ascii_case("podns") {
                marks.pod_namespace.get_or_insert(value);
            } else if name.eq_ignore_ascii_case("podname") {
                marks.pod_name.get_or_insert(value);
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests;
