//! What do a kubelet and a Prometheus ask of this process, and what are they told?
//!
//! The probe port answers `/healthz` as the predecessor did (always 200; the body says whether work has begun),
//! `/livez`, which names what has hung, and `/readyz`, which names what is still pending. The metrics port answers
//! `/metrics`. Neither serves anything else; profiling is never among it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::http::serve;
use crate::liveness::Liveness;
use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// What the probe port answers.
pub const PROBE_PATHS: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// What the metrics port answers.
pub const METRICS_PATH: &str = "/metrics";

const TEXT: &str = "text/plain; charset=utf-8";
/// The exposition format that every Prometheus reads; the names of plain counters would break OpenMetrics' rules.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the probe port reports.
#[derive(Clone)]
pub struct Probe {
    /// Whether the role does its work now: "Active" or "Not Active" on `/healthz`.
    pub active: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
    /// Whose standstill `/livez` tells.
    pub liveness: Liveness,
}

/// Serves `/healthz`, `/livez` and `/readyz` on `listener` until the shutdown.
pub async fn serve_probes(listener: TcpListener, shutdown: Shutdown, probe: Probe) {
    serve("probes", listener, shutdown, move |request, _| {
        std::future::ready(only_reads(&request, |path| answer_probe(&probe, path)))
    })
    .await;
}

/// Serves `/metrics` on `listener` until the shutdown.
pub async fn serve_metrics(listener: TcpListener, shutdown: Shutdown, registry: Arc<Registry>) {
    serve("metrics", listener, shutdown, move |request, _| {
        std::future::ready(only_reads(&request, |path| match path {
            METRICS_PATH => answer_metrics(&registry),
            _ => not_found(&[METRICS_PATH]),
        }))
    })
    .await;
}

fn answer_probe(probe: &Probe, path: &str) -> Response<Full<Bytes>> {
    match path {
        "/healthz" => {
            let body = if (probe.active)() { "Active" } else { "Not Active" };
            respond(StatusCode::OK, TEXT, body)
        }
        "/livez" => told(&probe.liveness.hung(), "hung"),
        "/readyz" => told(&probe.readiness.pending(), "waiting for"),
        _ => not_found(&PROBE_PATHS),
    }
}

/// "ok", or what stands against it.
fn told(against: &[&str], how: &str) -> Response<Full<Bytes>> {
    if against.is_empty() {
        return respond(StatusCode::OK, TEXT, "ok");
    }
    respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{how} {}", against.join(", ")))
}

fn answer_metrics(registry: &Registry) -> Response<Full<Bytes>> {
    let mut body = String::new();
    match text::encode(&mut body, registry) {
        Ok(()) => respond(StatusCode::OK, METRICS, body),
        Err(fmt::Error) => {
            respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "a metric cannot be written as text")
        }
    }
}

fn only_reads<B>(
    request: &Request<B>,
    answer: impl FnOnce(&str) -> Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(request.uri().path());
    }
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn not_found(known: &[&str]) -> Response<Full<Bytes>> {
    respond(StatusCode::NOT_FOUND, TEXT, format!("this port serves {}", known.join(", ")))
}

fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn read(response: Response<Full<Bytes>>) -> (u16, String) {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn probe(active: bool) -> Probe {
        Probe { active: Arc::new(move || active), readiness: Readiness::new(), liveness: Liveness::new() }
    }

    #[tokio::test]
    async fn healthz_is_always_200_and_its_body_says_whether_work_has_begun() {
        assert_eq!(read(answer_probe(&probe(true), "/healthz")).await, (200, "Active".into()));
        assert_eq!(read(answer_probe(&probe(false), "/healthz")).await, (200, "Not Active".into()));
    }

    /// W-44.
    #[tokio::test]
    async fn readyz_names_what_is_pending_and_livez_does_not_care() {
        let probe = probe(false);
        let watch = probe.readiness.guard("watch of pods");
        probe.readiness.block("redirect");
        let waiting = (503, "waiting for redirect, watch of pods".into());
        assert_eq!(read(answer_probe(&probe, "/readyz")).await, waiting);
        assert_eq!(read(answer_probe(&probe, "/livez")).await, (200, "ok".into()));
        drop(watch);
        probe.readiness.unblock("redirect");
        assert_eq!(read(answer_probe(&probe, "/readyz")).await, (200, "ok".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn livez_names_what_has_hung() {
        let probe = probe(true);
        // It is polled once and then never again, as when its thread is blocked.
        let mut task = Box::pin(probe.liveness.clone().watched("world", std::future::pending::<()>()));
        assert!(poll_once(&mut task).await);
        tokio::time::advance(std::time::Duration::from_mins(2)).await;
        assert_eq!(read(answer_probe(&probe, "/livez")).await, (503, "hung world".into()));
        assert_eq!(read(answer_probe(&probe, "/readyz")).await.0, 200, "it is not asked to wait, but to end");
    }

    /// Polls once; says whether it is still pending.
    async fn poll_once(task: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *task).poll(cx).is_pending())
        })
        .await
    }

    /// W-01.
    #[tokio::test]
    async fn no_profiling_and_nothing_else_is_served() {
        for path in ["/debug/pprof/", "/metrics", "/", "/healthz/"] {
            assert_eq!(read(answer_probe(&probe(true), path)).await.0, 404, "{path}");
        }
    }

    #[test]
    fn other_methods_are_refused_before_anything_is_looked_at() {
        let request = Request::post("/healthz").body(()).unwrap();
        let response = only_reads(&request, |_| unreachable!());
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
    }

    #[test]
    fn metrics_come_in_the_format_that_allows_plain_counter_names() {
        let response = answer_metrics(&Registry::default());
        assert_eq!(response.headers()[CONTENT_TYPE], METRICS);
    }
}
