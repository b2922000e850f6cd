//! How is an answer put on the wire?

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderValue, WARNING};
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::super::status::Status;
use super::Body;

/// An object.
pub(super) fn object(code: u16, value: &Value) -> Response<Body> {
    whole(code, "application/json", value.to_string())
}

/// A refusal.
pub(super) fn refusal(status: &Status) -> Response<Body> {
    object(status.code, &status.to_json())
}

/// A short text.
pub(super) fn plain(text: &'static str) -> Response<Body> {
    whole(200, "text/plain", text)
}

/// Pieces that follow over time, each sent as soon as it is there.
pub(super) fn streamed(
    kind: &'static str,
    pieces: impl Stream<Item = Bytes> + Send + 'static,
) -> Response<Body> {
    let body = StreamBody::new(pieces.map(|piece| Ok(Frame::data(piece)))).boxed_unsync();
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Adds texts that the client shows to its user.
pub(super) fn with_warnings(mut response: Response<Body>, warnings: &[String]) -> Response<Body> {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(WARNING, value);
        }
    }
    response
}

fn whole(code: u16, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
