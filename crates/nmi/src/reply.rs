//! What does the caller read, byte for byte?

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use podid_core::refusal::Refusal;
use serde::Serialize;

/// An answer to a pod.
pub(crate) type Reply = Response<Full<Bytes>>;

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// A body of JSON.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A refusal as IMDS words one.
pub(crate) fn refusal(refusal: &Refusal) -> Reply {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let problem = Problem { error: refusal.code, error_description: &refusal.description() };
    // A struct of strings always serializes.
    let mut reply = json(status, serde_json::to_vec(&problem).unwrap_or_default());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    if let Some(seconds) = refusal.retry_after {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use podid_core::refusal::Cause;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_what_every_sdk_can_read() {
        let reply = refusal(&Refusal::not_yet(Cause::NoBinding, "of \"x\""));
        assert_eq!(reply.status(), 503);
        assert_eq!(reply.headers()["retry-after"], "5");
        assert_eq!(reply.headers()["content-type"], "application/json");
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            r#"{"error":"service_unavailable","error_description":"Not yet: of \"x\" (podid explain no-binding)"}"#
        );
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let reply = refusal(&Refusal::wrong_method("not by POST"));
        assert_eq!((reply.status().as_u16(), reply.headers()["allow"].as_bytes()), (405, &b"GET"[..]));
    }

    #[tokio::test]
    async fn a_missing_metadata_header_is_answered_in_the_words_of_imds() {
        let reply =
            refusal(&Refusal::invalid(Cause::NoMetadataHeader, "Required metadata header not specified"));
        assert_eq!((reply.status().as_u16(), reply.headers().get("retry-after")), (400, None));
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            r#"{"error":"invalid_request","error_description":"Required metadata header not specified"}"#
        );
    }
}
