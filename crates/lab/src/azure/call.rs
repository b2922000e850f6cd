//! What does a request ask? Path, query, headers and body, taken apart once for every service.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

/// One request to the simulated Azure.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) host: String,
    /// Host and port, as links in an answer have to name them.
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) caller: IpAddr,
    pub(crate) now: Timestamp,
}

/// Decoded parameters of a query or form, in their order.
pub(crate) struct Query(Vec<(String, String)>);

/// A parameter appears more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeated(pub(crate) String);

// === impl Call ===

impl Call {
    /// The decoded segments of the path, empty ones left out.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as a form.
    pub(crate) fn form(&self) -> Query {
        Query::parse(&self.body)
    }

    /// The bearer token, if there is one.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

// === impl Query ===

impl Query {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The value of a parameter that may appear once; empty counts as absent.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Repeated(name.to_owned())),
            (first, None) => Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())),
        }
    }

    /// The first value of a parameter.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_told_from_one_that_is_absent_or_empty() {
        let query = Query::parse(b"resource=https%3A%2F%2Fa&client_id=&Resource=b");
        assert_eq!(query.one("resource"), Err(Repeated("resource".into())));
        assert_eq!(query.one("client_id"), Ok(None));
        assert_eq!(query.one("object_id"), Ok(None));
        assert_eq!(query.first("resource"), Some("https://a"));
    }
}
