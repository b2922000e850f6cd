//! Which part of the server answers a request?

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::super::status::Status;
use super::{Body, Server};

/// Answers an authenticated request.
pub(super) async fn respond(_server: &Server, request: Request<Incoming>) -> Result<Response<Body>, Status> {
    match request.uri().path() {
        "/healthz" | "/livez" | "/readyz" => Ok(whole(200, "text/plain", "ok")),
        "/version" => Ok(object(200, &version())),
        _ => Err(Status::new(404, "NotFound", "the server could not find the requested resource")),
    }
}

/// A JSON answer.
pub(super) fn object(code: u16, value: &Value) -> Response<Body> {
    whole(code, "application/json", value.to_string())
}

/// A refusal.
pub(super) fn refuse(status: &Status) -> Response<Body> {
    object(status.code, &status.to_json())
}

fn whole(code: u16, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "32", "gitVersion": "v1.32.0+podid-lab", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}
