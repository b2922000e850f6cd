//! How does a request reach the simulated Azure? Sockets, TLS, latency, faults and traces around the answers.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::call::{Call, Query};
use super::fault::Effect;
use super::pki::{Authority, PkiError};
use super::reply::Reply;
use super::state::network::Sender;
use super::state::operation::Failure;
use super::trace::{Service, Trace};
use super::{Azure, arm, entra, imds, vault};

pub(crate) const ARM_HOSTS: &[&str] = &["management.azure.com", "management.core.windows.net"];
pub(crate) const ENTRA_HOSTS: &[&str] =
    &["login.microsoftonline.com", "login.windows.net", "sts.windows.net"];
pub(crate) const VAULT_DOMAIN: &str = ".vault.azure.net";

const HEADERS_WITHIN: Duration = Duration::from_secs(30);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
const LARGEST_BODY: usize = 1 << 20;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

/// Sends its trace when it goes, also when the caller hung up before the answer.
struct Reporter<'a> {
    azure: &'a Azure,
    started: Instant,
    trace: Trace,
}

// === impl Azure ===

impl Azure {
    /// Serves the instance metadata service in plain HTTP until `stop`.
    pub async fn serve_imds(&self, listener: TcpListener, stop: CancellationToken) {
        let accept = |stream| async move { Ok::<_, Infallible>(stream) };
        serve(listener, stop, accept, |_| Some(Service::Imds), self.clone()).await;
    }

    /// Serves ARM, Entra and every key vault over TLS until `stop`, told apart by the `Host` header.
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        authority: &Authority,
        stop: CancellationToken,
    ) -> Result<(), PkiError> {
        let wildcard = format!("*{VAULT_DOMAIN}");
        let names = [ARM_HOSTS, ENTRA_HOSTS, &[&wildcard]].concat();
        let acceptor = TlsAcceptor::from(Arc::new(authority.issue(&names)?.server_config()?));
        let accept = move |stream| acceptor.clone().accept(stream);
        serve(listener, stop, accept, service_of, self.clone()).await;
        Ok(())
    }

    async fn respond(
        &self,
        service: Option<Service>,
        caller: IpAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Closed> {
        let (parts, body) = request.into_parts();
        let Some(service) = service else {
            let host = host_of(&parts.headers, &parts.uri).to_owned();
            return Ok(Reply::text(421, format!("no service of the lab's Azure is called {host:?}\n"))
                .into_response());
        };
        let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else { return Err(Closed) };
        let call = Call {
            host: host_of(&parts.headers, &parts.uri).to_ascii_lowercase(),
            path: parts.uri.path().to_owned(),
            query: Query::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            method: parts.method,
            headers: parts.headers,
            body: body.to_bytes(),
            caller,
            now: self.inner.clock.now(),
        };
        let mut reporter = Reporter::new(self, service, &call);
        let (effect, latency) = {
            let mut state = self.lock();
            let effect = state.faults.take(service, call.method.as_str(), &call.path);
            let latency = state.settings.latency;
            (
                effect,
                match (service, &call.method) {
                    (Service::Imds, _) => latency.imds,
                    (Service::Arm, &Method::GET) => latency.arm_read,
                    (Service::Arm, _) => latency.arm_write,
                    (Service::Entra, _) => latency.entra,
                    (Service::Vault, _) => latency.vault,
                },
            )
        };
        let reply = match effect {
            Some(Effect::Close) => {
                reporter.trace.detail = "connection closed by a fault".to_owned();
                return Err(Closed);
            }
            Some(Effect::Status { status, retry_after, code }) => {
                faulty(service, status, retry_after, code.as_deref())
            }
            Some(Effect::Delay(delay)) => {
                let reply = self.answer(service, &call, None);
                sleep(delay).await;
                reply
            }
            Some(Effect::FailOperation { code, message }) => {
                self.answer(service, &call, Some(Failure { code, message }))
            }
            None => self.answer(service, &call, None),
        };
        if !latency.is_zero() {
            sleep(latency).await;
        }
        reporter.trace.status = reply.status;
        reporter.trace.detail.clone_from(&reply.detail);
        Ok(reply.into_response())
    }

    fn answer(&self, service: Service, call: &Call, fate: Option<Failure>) -> Reply {
        match service {
            Service::Imds => imds::answer(self, call),
            Service::Arm => arm::answer(self, call, fate),
            Service::Entra => entra::answer(self, call),
            Service::Vault => vault::answer(self, call),
        }
    }
}

// === impl Reporter ===

impl<'a> Reporter<'a> {
    fn new(azure: &'a Azure, service: Service, call: &Call) -> Self {
        let from_pod =
            azure.lock().network.find(call.caller).is_some_and(|(_, sender)| sender == Sender::Pod);
        let started = Instant::now();
        let trace = Trace {
            at: started.into_std(),
            service,
            caller: call.caller,
            from_pod,
            what: format!("{} {}", call.method, call.path),
            status: 0,
            took: Duration::ZERO,
            detail: "the caller hung up".to_owned(),
        };
        Self { azure, started, trace }
    }
}

impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        self.trace.at = Instant::now().into_std();
        self.trace.took = self.started.elapsed();
        // Nobody may be listening.
        let _ = self.azure.inner.traces.send(self.trace.clone());
    }
}

/// Which service a host name leads to.
fn service_of(host: &str) -> Option<Service> {
    let host = host.to_ascii_lowercase();
    if ARM_HOSTS.contains(&host.as_str()) {
        Some(Service::Arm)
    } else if ENTRA_HOSTS.contains(&host.as_str()) {
        Some(Service::Entra)
    } else {
        host.ends_with(VAULT_DOMAIN).then_some(Service::Vault)
    }
}

/// The host that the request names, without a port.
fn host_of<'a>(headers: &'a http::HeaderMap, uri: &'a http::Uri) -> &'a str {
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.host().or(host).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// An error on demand, in the service's own form.
fn faulty(service: Service, status: u16, retry_after: Option<u64>, code: Option<&str>) -> Reply {
    let message = "The lab was told to fail this request.";
    let reply = match service {
        Service::Imds => imds::fault(status, code, message),
        Service::Arm => arm::error::fault(status, code, message),
        Service::Entra => entra::fault(status, code, message),
        Service::Vault => vault::fault(status, code, message),
    };
    match retry_after {
        Some(seconds) => reply.header("retry-after", seconds.to_string()),
        None => reply,
    }
}

/// Accepts connections until `stop`, then lets running requests finish for a moment.
async fn serve<A, F, S, E>(
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
        async move { azure.respond(asked, peer.ip(), request).await }
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
