//! Who answers a request, how late, and what does the trace say? Latency, faults and traces around the answers.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::call::{Call, Query};
use super::fault::Effect;
use super::listen::{Closed, authority_of, host_of, listen};
use super::names::{ARM_HOSTS, ENTRA_HOSTS, VAULT_DOMAIN};
use super::pki::{Authority, PkiError};
use super::reply::Reply;
use super::state::network::Sender;
use super::state::operation::Failure;
use super::trace::{Service, Trace};
use super::{Azure, arm, entra, imds, vault};

const BODY_WITHIN: Duration = Duration::from_secs(30);
const LARGEST_BODY: usize = 1 << 20;

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
        listen(listener, stop, accept, |_| Some(Service::Imds), self.clone()).await;
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
        listen(listener, stop, accept, service_of, self.clone()).await;
        Ok(())
    }

    /// Serves one service over TLS at an address that people outside reach, until `stop`.
    pub fn door(
        &self,
        listener: TcpListener,
        service: Service,
        authority: &Authority,
        stop: CancellationToken,
    ) -> Result<impl Future<Output = ()> + Send + use<>, PkiError> {
        if let (Service::Arm, Ok(address)) = (service, listener.local_addr()) {
            self.lock().open_door(&format!("https://{address}"));
        }
        let config = authority.issue(&["127.0.0.1", "localhost"])?.server_config()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accept = move |stream| acceptor.clone().accept(stream);
        let service: fn(&str) -> Option<Service> = match service {
            Service::Imds => |_| Some(Service::Imds),
            Service::Arm => |_| Some(Service::Arm),
            Service::Entra => |_| Some(Service::Entra),
            Service::Vault => |_| Some(Service::Vault),
        };
        Ok(listen(listener, stop, accept, service, self.clone()))
    }

    /// Answers one request; `Closed` ends its connection without an answer.
    pub(crate) async fn respond(
        &self,
        service: Option<Service>,
        caller: IpAddr,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Closed> {
        let (parts, body) = request.into_parts();
        let Some(service) = service else {
            let host = host_of(&parts.headers, &parts.uri);
            let text = format!("no service of the lab's Azure is called {host:?}\n");
            return Ok(Reply::text(421, text).into_response());
        };
        let host = host_of(&parts.headers, &parts.uri).to_ascii_lowercase();
        let authority = authority_of(&parts.headers, &parts.uri).to_ascii_lowercase();
        let body = Limited::new(body, LARGEST_BODY).collect();
        let Ok(Ok(body)) = timeout(BODY_WITHIN, body).await else { return Err(Closed) };
        let call = Call {
            host,
            authority,
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
            let resource = call.query.first("resource").unwrap_or_default();
            let effect = state.faults.take(service, call.method.as_str(), &call.path, resource);
            (effect, state.settings.latency.of(service, &call.method))
        };
        // What the request does is done now, and its answer leaves later: the caller may hang up in between.
        let (reply, delay) = match effect {
            None => (self.answer(service, &call, None), latency),
            Some(Effect::Delay(delay)) => (self.answer(service, &call, None), latency + delay),
            Some(Effect::FailOperation { code, message }) => {
                (self.answer(service, &call, Some(Failure { code, message })), latency)
            }
            Some(Effect::Status { status, retry_after, code }) => {
                (faulty(service, status, retry_after, code.as_deref()), latency)
            }
            Some(Effect::Close) => {
                "connection closed by a fault".clone_into(&mut reporter.trace.detail);
                return Err(Closed);
            }
        };
        if !delay.is_zero() {
            sleep(delay).await;
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
