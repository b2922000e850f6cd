//! How does a request reach the real IMDS, and what of its answer comes back?
//!
//! Everything but what belongs to one connection only, both ways. The target is the one that was
//! judged, to the byte; redirects are not followed; bodies and time are limited.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use podid_azure::http::{Client, Error, retry_after};
use podid_azure::pace::Refused;
use podid_core::refusal::{Cause, Refusal};
use tokio::time::Instant;

use crate::metrics::{Metrics, Trouble, Upstream};
use crate::pace::{Asker, LONGEST_PAUSE, Paces, Part, UNTOLD};
use crate::reply::{self, Reply};

/// Largest body that a pod may send to IMDS, in bytes. Only IMDS's scheduled events take one, a small one.
const LARGEST_BODY: usize = 64 * 1024;

/// How long a pod may take to send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long IMDS may take: some routes wait for the hypervisor.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long one waits whose pod has as many requests on their way as one may.
const PATIENCE: Duration = Duration::from_secs(10);

/// Headers that are between two neighbours (RFC 9110 §7.6.1), and lengths, which we set ourselves.
const BETWEEN_NEIGHBOURS: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    CONTENT_LENGTH,
];

/// A body that can be passed on.
pub trait Carried: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static {}

impl<B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static> Carried for B {}

/// Passes requests on to the metadata service.
#[derive(Clone, Debug)]
pub struct Forward {
    http: Client,
    metadata: SocketAddr,
    paces: Paces,
    metrics: Metrics,
}

// === impl Forward ===

impl Forward {
    /// Passes on to the service at `metadata`.
    pub fn new(http: Client, metadata: SocketAddr, paces: Paces, metrics: Metrics) -> Self {
        Self { http, metadata, paces, metrics }
    }

    /// Sends `request` when it is the turn of `asker`, and gives back what came, whatever it is.
    pub(crate) async fn send<B: Carried>(&self, request: Request<B>, part: Part, asker: &Asker) -> Reply {
        let (parts, body) = request.into_parts();
        let Ok(Ok(body)) =
            tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, LARGEST_BODY).collect()).await
        else {
            let text = format!("The body is larger than {LARGEST_BODY} bytes, or came too slowly.");
            return self.refuse(&Refusal::invalid(Cause::BadBody, text));
        };
        let Some(uri) = self.target(&parts.uri) else {
            return self.refuse(&Refusal::invalid(Cause::BadPath, "The request names no path."));
        };
        let mut onward = Request::new(body.to_bytes());
        *onward.method_mut() = parts.method;
        *onward.uri_mut() = uri;
        *onward.headers_mut() = end_to_end(parts.headers);
        if let Ok(host) = HeaderValue::from_str(&self.metadata.to_string()) {
            onward.headers_mut().insert(HOST, host);
        }
        let line = self.paces.imds(part);
        let upstream = upstream(part);
        let queued = self.metrics.queue(upstream);
        let mut place = match line.enter_within(asker, PATIENCE).await {
            Ok(place) => place,
            Err(refused) => return self.busy(refused),
        };
        if let Err(refused) = place.turn().await {
            return self.busy(refused);
        }
        drop(queued);
        let begun = Instant::now();
        let answer = self.http.send_within(onward, TIMEOUT).await;
        let trouble =
            answer.as_ref().map_or(Some(Trouble::UNAVAILABLE), |answer| Trouble::of_status(answer.status()));
        self.metrics.upstream(upstream, begun.elapsed(), trouble);
        match answer {
            Ok(answer) => {
                if let Some(pause) = pause(&answer) {
                    line.close(pause);
                }
                onto(answer)
            }
            Err(error) => self.failed(&error),
        }
    }

    /// As IMDS says it of too many requests.
    fn busy(&self, refused: Refused) -> Reply {
        let seconds = u32::try_from(refused.retry_after().as_secs()).unwrap_or(u32::MAX).max(1);
        self.refuse(&Refusal::throttled(format!("Not passed on to IMDS: {refused}."), Some(seconds)))
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        self.metrics.refused(refusal.cause);
        reply::refusal(refusal)
    }

    fn target(&self, asked: &Uri) -> Option<Uri> {
        let target = asked.path_and_query()?.clone();
        Uri::builder().scheme("http").authority(self.metadata.to_string()).path_and_query(target).build().ok()
    }

    fn failed(&self, error: &Error) -> Reply {
        tracing::warn!(metadata = %self.metadata, %error, "the metadata service did not answer a request passed on");
        self.refuse(&Refusal::trouble(
            Cause::UpstreamDown,
            format!("IMDS at {} gave no answer: {error}.", self.metadata),
        ))
    }
}

fn upstream(part: Part) -> Upstream {
    match part {
        Part::Tokens => Upstream::Imds,
        Part::Metadata => Upstream::Metadata,
    }
}

/// How long nobody of this node shall ask this part of IMDS.
fn pause(answer: &Response<Bytes>) -> Option<Duration> {
    let asked = retry_after(answer.headers());
    let asked = match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => Some(asked.unwrap_or(UNTOLD)),
        StatusCode::SERVICE_UNAVAILABLE => asked,
        _ => None,
    };
    asked.map(|asked| asked.min(LONGEST_PAUSE))
}

fn onto(answer: Response<Bytes>) -> Reply {
    let (mut parts, body) = answer.into_parts();
    parts.headers = end_to_end(parts.headers);
    Response::from_parts(parts, Full::new(body))
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in BETWEEN_NEIGHBOURS.iter().chain(&named) {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_between_neighbours_stay_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("metadata", "true"),
            ("x-ms-client-request-id", "id"),
        ] {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let mut left: Vec<_> = end_to_end(headers).keys().map(ToString::to_string).collect();
        left.sort();
        assert_eq!(left, ["metadata", "x-ms-client-request-id"]);
    }
}
