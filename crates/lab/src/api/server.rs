//! Who may speak to the API, and over which connection?

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::logs::PodLogs;
use super::status::Status;
use super::store::Store;
use fault::Outage;

mod answer;
mod discovery;
mod fault;
mod follow;
mod objects;
mod openapi;
mod protobuf;
mod query;
mod reply;
mod route;

/// A streamed or whole answer.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Bytes until which a request body is read; the limit of a real server for one object is about the same.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(2);

/// What a client needs to get in. The token is kept as a digest only.
#[derive(Clone)]
pub struct Access {
    tls: TlsAcceptor,
    digest: Arc<[u8]>,
    outage: Outage,
}

/// What a request is answered from.
struct Server {
    store: Store,
    logs: Arc<dyn PodLogs>,
    digest: Arc<[u8]>,
    outage: Outage,
    shutdown: CancellationToken,
}

/// Serves the store on one listener until `shutdown`, then ends open watches and returns. Call it once per listener.
pub async fn serve(
    store: Store,
    logs: Arc<dyn PodLogs>,
    access: Access,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let Access { tls, digest, outage } = access;
    let server = Arc::new(Server { store, logs, digest, outage, shutdown: shutdown.clone() });
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            // Whoever connects is cut off, as by a crashed server.
            Ok(_) if server.outage.lasts() => {}
            Ok((stream, _)) => {
                // A small answer would otherwise wait for the client's delayed acknowledgement, 40 ms.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve_connection(server.clone(), tls.clone(), stream));
            }
            Err(error) => {
                // Out of descriptors, most likely: others will close theirs.
                tracing::warn!(%error, "the Kubernetes API cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn serve_connection(server: Arc<Server>, tls: TlsAcceptor, stream: TcpStream) {
    let shutdown = server.shutdown.clone();
    let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
    let Some(Ok(Ok(stream))) = shutdown.run_until_cancelled(handshake).await else { return };
    let of_connection = server.clone();
    let service = service_fn(move |request| answer_one(of_connection.clone(), request));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_mins(5));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = server.outage.begun() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // A client that does not take its answer is left behind.
            tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the Kubernetes API ended");
    }
}

async fn answer_one(server: Arc<Server>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if !server.knows(request.headers().get(header::AUTHORIZATION)) {
        return Ok(reply::refusal(&Status::new(401, "Unauthorized", "Unauthorized")));
    }
    Ok(answer::respond(&server, request).await.unwrap_or_else(|status| reply::refusal(&status)))
}

// === impl Access ===

impl Access {
    /// TLS settings of the server, and the one bearer token that is accepted.
    pub fn new(tls: Arc<rustls::ServerConfig>, token: &str) -> Self {
        Self { tls: tls.into(), digest: digest_of(token.as_bytes()), outage: Outage::new() }
    }
}

// === impl Server ===

impl Server {
    fn knows(&self, header: Option<&header::HeaderValue>) -> bool {
        // Digests are compared, so that the time taken says nothing about the token.
        header
            .and_then(|header| header.as_bytes().strip_prefix(b"Bearer "))
            .is_some_and(|token| digest_of(token) == self.digest)
    }
}

fn digest_of(token: &[u8]) -> Arc<[u8]> {
    digest::digest(&digest::SHA256, token).as_ref().into()
}
