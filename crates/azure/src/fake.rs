//! A server on the loopback that answers as a test wants, for faults that only a real connection has.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::{Client, Settings};

/// A running server; it ends with this value.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// What the server does about a request.
pub(crate) enum Reply {
    Answer(Response<Bytes>),
    /// Headers and the first part of the body, then the connection ends.
    Half,
    /// The connection ends without an answer.
    Close,
    /// Nothing, for ever.
    Hang,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Fake {
    /// Serves with `answer`, which is given the request and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (seen.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (kept.clone(), answer.clone());
                let service = service_fn(move |request| {
                    let (kept, answer) = (kept.clone(), answer.clone());
                    async move {
                        let request = read(request).await;
                        let before = {
                            let mut kept = kept.lock().unwrap();
                            kept.push(request.clone());
                            kept.len() - 1
                        };
                        reply(answer(&request, before)).await
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { address, seen, task }
    }

    /// An address that refuses connections.
    pub(crate) async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that never goes through a proxy of the machine that runs the tests.
pub(crate) fn client() -> Client {
    Client::new(Settings { proxy_from_environment: false, ..Settings::new("podid-tests") })
}

/// An answer with a status, headers and a body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Reply::Answer(builder.body(body.into()).unwrap())
}

/// A token as IMDS and Entra write it.
pub(crate) fn token(text: &str) -> Reply {
    answer(200, &[], format!(r#"{{"access_token":"{text}","expires_in":"86400","client_id":"C-1"}}"#))
}

async fn read(request: Request<Incoming>) -> Seen {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Seen {
        method: parts.method,
        target: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn reply(reply: Reply) -> Result<Response<Body>, std::io::Error> {
    match reply {
        Reply::Answer(answer) => {
            Ok(answer.map(|body| Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()))
        }
        Reply::Half => {
            let parts = [Ok(Frame::data(Bytes::from("{\"access_"))), Err(std::io::Error::other("cut"))];
            Ok(Response::new(StreamBody::new(stream::iter(parts)).boxed_unsync()))
        }
        Reply::Close => Err(std::io::Error::other("closed")),
        Reply::Hang => std::future::pending().await,
    }
}
