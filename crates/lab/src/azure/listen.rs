//! How does a connection to the simulated Azure live and end?

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Azure;
use super::trace::Service;

const HEADERS_WITHIN: Duration = Duration::from_secs(30);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(crate) struct Closed;

/// Accepts connections until `stop`, then lets running requests finish for a moment.
pub(crate) async fn listen<A, F, S, E>(
    listener: TcpListener,
    stop: CancellationToken,
    accept: A,
    service: fn(&str) -> Option<Service>,
    azure: Azure,
) where
    A: Fn(TcpStream) -> F,
    F: Future<Output = Result<S, E>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    E: Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, or a client that went before it was accepted.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A small answer would otherwise wait for the client's delayed acknowledgement, 40 ms.
        let _ = stream.set_nodelay(true);
        let handshake = accept(stream);
        connections.spawn(connection(handshake, peer, service, azure.clone(), stop.clone()));
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    // What is still running after a second is cut off when the set is dropped.
    let _ = timeout(Duration::from_secs(1), finish).await;
}

async fn connection<S, E>(
    handshake: impl Future<Output = Result<S, E>>,
    peer: SocketAddr,
    service: fn(&str) -> Option<Service>,
    azure: Azure,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, handshake).await else { return };
    let respond = service_fn(|request: Request<Incoming>| {
        let asked = service(host_of(request.headers(), request.uri()));
        let azure = &azure;
        async move { azure.respond(asked, peer.ip().to_canonical(), request).await }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), respond);
    tokio::pin!(serving);
    // How a connection ends is the client's affair; every request in it was traced.
    let _ = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
}

/// Host and port that the request names.
pub(crate) fn authority_of<'a>(headers: &'a http::HeaderMap, uri: &'a http::Uri) -> &'a str {
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default()
}

/// The host that the request names, without a port.
pub(crate) fn host_of<'a>(headers: &'a http::HeaderMap, uri: &'a http::Uri) -> &'a str {
    let host = authority_of(headers, uri);
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}
