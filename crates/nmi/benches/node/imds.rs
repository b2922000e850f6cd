//! What does IMDS answer, how fast, and to how many?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use podid_lab::net::METADATA;
use podid_runtime::http::{Limits, Server};
use podid_runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::cluster::client_id;

/// The length of a token, in bytes.
const TOKEN: usize = 1_200;

/// An IMDS that gives a token to everyone, as fast as it is told to.
#[derive(Clone)]
pub(crate) struct Imds(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    delay: Duration,
    /// Calls per second that are answered, and so many at once; others get 429.
    limit: Option<f64>,
    tokens: f64,
    last: Option<Instant>,
    calls: Calls,
}

/// What was asked since it was told how to answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) answered: usize,
    pub(crate) throttled: usize,
}

// === impl Imds ===

impl Imds {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let imds = Self(Arc::default());
        let listener = runtime.block_on(TcpListener::bind(SocketAddr::from((METADATA, 80)))).unwrap();
        // The nodes' agents are one address each.
        let limits = Limits { all: 4096, each: 4096, reserve: 0 };
        let answers = imds.clone();
        let handler = move |request, _| answers.clone().answer(request);
        runtime.spawn(Server::new("IMDS").limits(limits).serve(listener, Shutdown::new(), handler));
        imds
    }

    /// Answers after `delay` from now on, and `limit` calls a second at most.
    pub(crate) fn behave(&self, delay: Duration, limit: Option<f64>) {
        let tokens = limit.unwrap_or_default();
        *self.0.lock().unwrap() = State { delay, limit, tokens, last: None, calls: Calls::default() };
    }

    pub(crate) fn calls(&self) -> Calls {
        self.0.lock().unwrap().calls
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Full<Bytes>> {
        let (admitted, delay) = {
            let mut state = self.0.lock().unwrap();
            (state.admit(Instant::now()), state.delay)
        };
        tokio::time::sleep(delay).await;
        if admitted { token(&request) } else { too_many() }
    }
}

// === impl State ===

impl State {
    fn admit(&mut self, now: Instant) -> bool {
        let Some(limit) = self.limit else {
            self.calls.answered += 1;
            return true;
        };
        let since = self.last.replace(now).map_or(0.0, |last| (now - last).as_secs_f64());
        self.tokens = since.mul_add(limit, self.tokens).min(limit);
        if self.tokens < 1.0 {
            self.calls.throttled += 1;
            return false;
        }
        self.tokens -= 1.0;
        self.calls.answered += 1;
        true
    }
}

fn token<B>(request: &Request<B>) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap();
    let number = query.rsplit_once("identity-").unwrap().1.split('&').next().unwrap();
    let now = Timestamp::now().as_second();
    let token = serde_json::json!({
        "access_token": format!("{}.{}.signature", "h".repeat(TOKEN / 4), "p".repeat(TOKEN / 2)),
        "client_id": client_id(number.parse().unwrap()),
        "expires_in": "86400",
        "expires_on": (now + 86_400).to_string(),
        "ext_expires_in": "86400",
        "not_before": now.to_string(),
        "resource": "https://vault.azure.net",
        "token_type": "Bearer",
    });
    Response::new(Full::new(token.to_string().into()))
}

fn too_many() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(r#"{"error":"too_many_requests"}"#.into()));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
}
