//! An IMDS that answers what it is told to, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use podid_runtime::http::serve;
use podid_runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{START, TOKEN, client_id};

/// A text in every token that the fake IMDS gives.
pub(crate) const MARK: &str = "S3CR3T-T0KEN";

/// An IMDS on loopback.
#[derive(Clone)]
pub(crate) struct FakeImds {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<ImdsState>>,
}

struct ImdsState {
    seen: Vec<Seen>,
    identities: Vec<String>,
    says: Says,
    life: u32,
}

/// A request as IMDS saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

/// What IMDS answers to whatever it is asked.
#[derive(Clone)]
pub(crate) enum Says {
    /// What IMDS should.
    Truth,
    /// This.
    Reply(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// Nothing, for this long; then the truth.
    Late(Duration),
}

// === impl FakeImds ===

impl FakeImds {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = ImdsState { seen: Vec::new(), identities: Vec::new(), says: Says::Truth, life: 86_400 };
        let imds = Self { address, state: Arc::new(Mutex::new(state)) };
        let answering = imds.clone();
        tokio::spawn(serve("fake IMDS", listener, Shutdown::new(), move |request, _| {
            let imds = answering.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let target = parts.uri.path_and_query().unwrap().to_string();
                let seen = Seen {
                    method: parts.method.to_string(),
                    target,
                    headers: parts.headers,
                    body,
                    at: Instant::now(),
                };
                imds.answer(seen).await
            }
        }));
        imds
    }

    /// The identities of the machine are now these.
    pub(crate) fn has(&self, names: &[&str]) {
        self.state.lock().unwrap().identities.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// The machine loses an identity.
    pub(crate) fn has_not(&self, name: &str) {
        self.state.lock().unwrap().identities.retain(|has| has != name);
    }

    pub(crate) fn says(&self, says: Says) {
        self.state.lock().unwrap().says = says;
    }

    /// How long tokens live from now on, in seconds.
    pub(crate) fn tokens_live(&self, seconds: u32) {
        self.state.lock().unwrap().life = seconds;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    async fn answer(&self, seen: Seen) -> Response<Full<Bytes>> {
        let says = {
            let mut state = self.state.lock().unwrap();
            state.seen.push(seen.clone());
            state.says.clone()
        };
        match says {
            Says::Truth => self.truth(&seen),
            Says::Late(time) => {
                tokio::time::sleep(time).await;
                self.truth(&seen)
            }
            Says::Reply(status, headers, body) => respond(status, &headers, body),
        }
    }

    fn truth(&self, seen: &Seen) -> Response<Full<Bytes>> {
        if !seen.target.starts_with(TOKEN) {
            return respond(200, &[("x-from", "imds")], r#"{"compute":{"name":"vm"}}"#);
        }
        let state = self.state.lock().unwrap();
        let query = seen.target.split_once('?').map_or("", |(_, query)| query).replace("%2F", "/");
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("msi_res_id="));
        let name = asked.and_then(|id| id.rsplit('/').next()).unwrap_or("system");
        if name != "system" && !state.identities.iter().any(|has| has == name) {
            let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
            return respond(400, &[], body);
        }
        let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"oid":"object-{name}"}}"#));
        let end = START + i64::from(state.life);
        let body = format!(
            r#"{{"access_token":"header.{payload}.{MARK}","client_id":"{}","expires_in":"{}","expires_on":"{end}",
               "ext_expires_in":"86399","not_before":"1699999700","resource":"https://vault.azure.net","token_type":"Bearer"}}"#,
            client_id(name),
            state.life,
        );
        respond(200, &[], &body)
    }
}

fn respond(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
