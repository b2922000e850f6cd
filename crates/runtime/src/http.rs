//! How is one HTTP/1 port served, from bind to drain?
//!
//! A listener serves one handler. Headers must arrive and answers be read in time, buffers and connections are
//! bounded, a handler that panics costs its own connection only, and on shutdown idle connections close at once while
//! requests in hand are answered until the drain deadline.

mod accept;
mod crowd;
mod patient;

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body_util::Full as Whole;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use self::accept::Door;
use self::crowd::{Crowd, Full, Of, Place};
pub use self::crowd::{Limits, TooFewDescriptors};
use self::patient::Patient;
use crate::shutdown::Shutdown;

/// How long a client may take to send the headers of a request, and how long a connection may lie idle.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long requests in hand may take once the shutdown has begun.
const DRAIN: Duration = Duration::from_mins(1);
/// The most that is buffered of one connection; also the limit of a request's headers, in bytes.
const BUFFER: usize = 16 * 1024;
/// How long a client may take to read an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nobody may come until a port that is closed to new connections counts as empty.
const QUIET: Duration = Duration::from_millis(100);

/// A named HTTP/1 server and its limits.
#[derive(Clone, Debug)]
#[must_use]
pub struct Server {
    name: &'static str,
    header_timeout: Duration,
    read_timeout: Duration,
    linger: Duration,
    drain: Duration,
    limits: Limits,
}

/// Who is connected.
struct Present {
    graceful: GracefulShutdown,
    connections: JoinSet<()>,
    crowd: Crowd,
    /// Whether the shutdown has begun, for whoever answers: a look at [`Shutdown`] takes a lock.
    leaving: Arc<AtomicBool>,
}

/// A port that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {name}: {}", reason(source))]
pub struct BindError {
    name: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// Listens on `address` for the server called `name`.
pub async fn bind(name: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { name, address, source })
}

/// Serves `handler` on `listener` with the usual limits until `shutdown` has begun and the port is drained.
pub async fn serve<H, F>(name: &'static str, listener: TcpListener, shutdown: Shutdown, handler: H)
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Whole<Bytes>>> + Send + 'static,
{
    Server::new(name).serve(listener, shutdown, handler).await;
}

// === impl Server ===

impl Server {
    /// A server with the usual limits: 60 s for headers and idle connections, 30 s for a client to read an answer,
    /// 60 s to drain, [`Limits::default`].
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            header_timeout: HEADER_TIMEOUT,
            read_timeout: READ_TIMEOUT,
            linger: Duration::ZERO,
            drain: DRAIN,
            limits: Limits::default(),
        }
    }

    /// Sets how long the headers of a request may take, and how long a connection may lie idle.
    pub fn header_timeout(self, header_timeout: Duration) -> Self {
        Self { header_timeout, ..self }
    }

    /// Sets how long a client may take to read an answer.
    pub fn read_timeout(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// Sets how long, once the shutdown has begun, connections are still taken that the kernel has already let in, and
    /// open ones may bring one more request, which is answered with "Connection: close". Not at all by default.
    ///
    /// For a port that new connections are kept away from by then: so that nobody meets a reset.
    pub fn linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }

    /// Sets how long requests in hand may take once the shutdown has begun.
    pub fn drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// Sets how many connections are open at a time.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Serves `handler` on `listener` until `shutdown` has begun and the port is drained.
    pub async fn serve<H, F>(self, listener: TcpListener, shutdown: Shutdown, handler: H)
    where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Whole<Bytes>>> + Send + 'static,
    {
        let mut present = Present {
            graceful: GracefulShutdown::new(),
            connections: JoinSet::new(),
            crowd: Crowd::new(self.limits),
            leaving: Arc::default(),
        };
        let mut door = Door::new(self.name);
        loop {
            tokio::select! {
                () = shutdown.begun() => break,
                Some(ended) = present.connections.join_next() => self.report(ended),
                (stream, peer) = door.next(|| listener.accept()) => self.let_in(stream, peer, &mut present, &handler),
            }
        }
        present.leaving.store(true, Ordering::Relaxed);
        let end = Instant::now() + self.linger;
        if !self.linger.is_zero() {
            let quiet = || timeout_at(end.min(Instant::now() + QUIET), listener.accept());
            while let Ok(Ok((stream, peer))) = quiet().await {
                self.let_in(stream, peer, &mut present, &handler);
            }
        }
        drop(listener);
        while !self.linger.is_zero()
            && let Ok(Some(ended)) = timeout_at(end, present.connections.join_next()).await
        {
            self.report(ended);
        }
        self.drain_connections(present.graceful, present.connections).await;
    }

    fn let_in<H, F>(&self, stream: TcpStream, peer: SocketAddr, present: &mut Present, handler: &H)
    where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Whole<Bytes>>> + Send + 'static,
    {
        match present.crowd.enter(peer.ip()) {
            Ok(place) => {
                let connection = self.connection(stream, peer, place, present, handler.clone());
                present.connections.spawn(connection);
            }
            Err(full) => self.turn_away(stream, peer, full),
        }
    }

    /// One connection, which leaves its place when it ends.
    fn connection<H, F>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        present: &Present,
        handler: H,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        H: Fn(Request<Incoming>, SocketAddr) -> F + Send + 'static,
        F: Future<Output = Response<Whole<Bytes>>> + Send + 'static,
    {
        let leaving = present.leaving.clone();
        // Here and below `map` and not an `async` block, which would hold its future twice: once to take it in, once
        // to wait for it. Answering is a large one, and moved for each request.
        let service = service_fn(move |request| {
            let last = leaving.load(Ordering::Relaxed);
            handler(request, peer).map(move |mut response| {
                if last {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            })
        });
        // Answers are small and whole: they must not wait for more bytes to fill a segment.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(Patient::new(stream, self.read_timeout)), service);
        let connection = present.graceful.watch(connection);
        let name = self.name;
        connection.map(move |outcome| {
            if let Err(error) = outcome {
                tracing::debug!(server = name, %peer, %error, "connection ended early");
            }
            drop(place);
        })
    }

    /// Says why and hangs up. Nothing is waited for: whoever opens too many connections may not read, either.
    fn turn_away(&self, stream: TcpStream, peer: SocketAddr, full: Full) {
        if full.first {
            let (server, peer) = (self.name, peer.ip());
            match full.of {
                Of::Client => tracing::warn!(
                    server, %peer,
                    "too many connections from one address; further ones are refused until it closes some"
                ),
                Of::Server => tracing::warn!(
                    server, %peer,
                    "as many connections as can be held; further ones are refused until there are fewer"
                ),
            }
        }
        // tokio knows only after its next look that a new socket can be written to.
        if let Ok(mut stream) = stream.into_std() {
            let _ = stream.write(refusal(full.of).as_bytes());
            // What is unread when a connection closes turns the close into a reset, which overtakes the answer.
            let _ = stream.read(&mut [0; 1024]);
        }
    }

    async fn drain_connections(&self, graceful: GracefulShutdown, mut connections: JoinSet<()>) {
        let drained = async {
            graceful.shutdown().await;
            while let Some(ended) = connections.join_next().await {
                self.report(ended);
            }
        };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            tracing::warn!(
                server = self.name,
                connections = connections.len(),
                "connections still open at the drain deadline, cutting them off"
            );
        }
        connections.shutdown().await;
    }

    fn report(&self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            tracing::error!(server = self.name, %error, "a handler failed; its connection was closed");
        }
    }
}

/// What a client reads for which there is no room, if it reads anything.
fn refusal(of: Of) -> String {
    let description = match of {
        Of::Client => "Too many connections from this address. Close some, then ask again.",
        Of::Server => "The server has as many connections as it can hold. Ask again later.",
    };
    let body = format!(r#"{{"error":"service_unavailable","error_description":"{description}"}}"#);
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

// === impl BindError ===

fn reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is in use by another process; stop that one or choose another port".into()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need the capability NET_BIND_SERVICE".into()
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".into(),
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests;
