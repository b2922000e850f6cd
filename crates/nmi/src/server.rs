//! What happens to a request, from its bytes to its answer?
//!
//! Read this file top to bottom: parse, refuse or look up, decide, answer. Decisions are
//! `podid_core`'s; here they are carried out.
//!
//! A request's future is moved, and kept while it waits: the ways that few requests take are boxed, so that they add
//! nothing to the one that most take.

mod host;
mod token;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request as HttpRequest;
use http_body_util::Empty;
use podid_core::answer::{Terms, View};
use podid_core::facts::Pod;
use podid_core::redact::Foreign;
use podid_core::refusal::{Cause, Refusal};
use podid_core::request::{self, Raw, Request, Rules, TokenRequest};
use podid_runtime::shutdown::Shutdown;
use tokio::sync::watch;

use crate::audit::Audit;
use crate::caller::{self, Found};
use crate::clock::WallClock;
use crate::forward::{Carried, Forward};
use crate::lookup::Lookup;
use crate::metrics::Metrics;
use crate::neighbour::Neighbours;
use crate::notice::Notices;
use crate::pace::{Asker, Part};
use crate::record::{Asked, Outcome, Record, Route};
use crate::reply::{self, Reply};
use crate::snapshot::Snapshot;
use crate::source::Source;
use token::{Decided, Manner};

/// How long changes are gathered before tokens are forgotten.
const TIDY: Duration = Duration::from_secs(1);

/// Everything that answering takes. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    parts: Arc<Parts>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// What a server is made of.
pub struct Parts {
    /// Which of the original's switches are on.
    pub rules: Rules,
    /// How answers are decided.
    pub terms: Terms,
    /// Asks the Kubernetes API about addresses that nobody told of.
    pub lookup: Lookup,
    /// Tells whether an address still leads to whom it led before.
    pub neighbours: Neighbours,
    /// Where tokens come from.
    pub source: Source,
    /// The way to the real IMDS.
    pub forward: Forward,
    /// What is counted.
    pub metrics: Metrics,
    /// Where it is proved.
    pub audit: Audit,
    /// Who tells owners of pods.
    pub notices: Notices,
    /// Begins when held requests should come to an end.
    pub draining: Shutdown,
    /// The wall clock.
    pub clock: WallClock,
}

// === impl Server ===

impl Server {
    /// A server that decides by `snapshots`.
    pub fn new(parts: Parts, snapshots: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { parts: Arc::new(parts), snapshots }
    }

    /// Answers one request that came from `peer`.
    pub fn handle<B: Carried>(
        &self,
        request: HttpRequest<B>,
        peer: SocketAddr,
    ) -> impl Future<Output = Reply> + Send + use<B> {
        self.clone().answer(request, peer.ip())
    }

    /// Forgets tokens that nobody needs any more, whenever the cluster changes, until `end` begins.
    pub(crate) async fn tidy(mut self, end: Shutdown) {
        loop {
            tokio::select! {
                () = end.begun() => return,
                changed = self.snapshots.changed() => if changed.is_err() { return end.begun().await },
            }
            let snapshot = self.snapshots.borrow_and_update().clone();
            if snapshot.complete {
                self.parts.source.forget_all_but(&snapshot);
            }
            // Changes come in bursts.
            tokio::time::sleep(TIDY).await;
        }
    }

    async fn answer<B: Carried>(self, request: HttpRequest<B>, peer: IpAddr) -> Reply {
        match parse(&request, self.parts.rules) {
            Request::Probe(refusal) => {
                tracing::debug!(%peer, code = refusal.cause.code(), reason = refusal.text, "probe answered");
                self.parts.metrics.refused(refusal.cause);
                reply::refusal(&refusal)
            }
            Request::Refuse(refusal) => self.record(&request, peer, Route::Other).refuse(&refusal),
            Request::Token(wanted) => self.token(request, peer, &wanted).await,
            Request::HostToken { pod, token } => {
                let record = self.record(&request, peer, Route::HostToken);
                Box::pin(self.host_token(record, peer, &pod, &token)).await
            }
            Request::Instance | Request::Versions => {
                // A body means nothing here. A server that does not read it would take it for a request of
                // whoever uses the connection next.
                let request = request.map(|_| Empty::<Bytes>::new());
                Box::pin(self.parts.forward.send(request, Part::Metadata, &Asker::Address(peer))).await
            }
            Request::Open => {
                Box::pin(self.parts.forward.send(request, Part::Metadata, &Asker::Address(peer))).await
            }
            Request::Other => Box::pin(self.other(request, peer)).await,
        }
    }

    /// The token route.
    async fn token<B: Carried>(
        mut self,
        request: HttpRequest<B>,
        peer: IpAddr,
        wanted: &TokenRequest,
    ) -> Reply {
        let mut record = self.record(&request, peer, Route::Token);
        record.resource(&wanted.resource);
        let found = match self.caller(peer).await {
            Ok(found) => found,
            Err(refusal) => return record.refuse(&refusal),
        };
        record.pod(&found.resident);
        match self.decide(Manner::Guest(peer), found, wanted, &mut record).await {
            Decided::Token(reply) => {
                record.end(reply.status().as_u16(), Outcome::Served);
                reply
            }
            Decided::PassThrough(found) => {
                match Box::pin(self.pass_on(request, peer, found, Part::Tokens)).await {
                    Ok(reply) => {
                        record.end(reply.status().as_u16(), Outcome::PassedThrough);
                        reply
                    }
                    Err(refusal) => record.refuse(&refusal),
                }
            }
            Decided::Refuse(refusal) => record.refuse(&refusal),
        }
    }

    /// Everything that only excepted pods may ask IMDS.
    async fn other<B: Carried>(mut self, request: HttpRequest<B>, peer: IpAddr) -> Reply {
        let mut record = self.record(&request, peer, Route::Other);
        let found = match self.caller(peer).await {
            Ok(found) => found,
            Err(refusal) => return record.refuse(&refusal),
        };
        record.pod(&found.resident);
        if !self.excepts(&found.resident.pod) {
            return record.refuse(&only_excepted(&found.resident.pod, request.uri().path()));
        }
        match self.pass_on(request, peer, found, Part::Metadata).await {
            Ok(reply) => {
                record.end(reply.status().as_u16(), Outcome::PassedThrough);
                reply
            }
            Err(refusal) => record.refuse(&refusal),
        }
    }

    fn record<B>(&self, request: &HttpRequest<B>, peer: IpAddr, route: Route) -> Record {
        Record::begin(&self.parts, Asked::new(request, peer, route))
    }

    /// What IMDS says to an excepted pod, if it still is one when the answer is there.
    async fn pass_on<B: Carried>(
        &mut self,
        request: HttpRequest<B>,
        peer: IpAddr,
        found: Found,
        part: Part,
    ) -> Result<Reply, Refusal> {
        let asker = Asker::Pod(found.resident.pod.uid.clone());
        let reply = self.parts.forward.send(request, part, &asker).await;
        let snapshot = self.snapshots.borrow().clone();
        let found = token::still(Manner::Guest(peer), found, &snapshot)?;
        self.reaches(Manner::Guest(peer), &found).await?;
        if snapshot.excepts(&found.resident.pod) {
            return Ok(reply);
        }
        Err(Refusal::trouble(
            Cause::ExceptionGone,
            format!(
                "The AzurePodIdentityException of pod {} went away while IMDS was asked. Ask again.",
                found.resident.pod.id
            ),
        ))
    }

    async fn caller(&mut self, peer: IpAddr) -> Result<Found, Refusal> {
        caller::find(peer, &mut self.snapshots, &self.parts.lookup, &self.parts.neighbours).await
    }

    fn excepts(&self, pod: &Pod) -> bool {
        self.snapshots.borrow().excepts(pod)
    }
}

fn parse<B>(request: &HttpRequest<B>, rules: Rules) -> Request {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    request::parse(Raw { method: request.method().as_str(), target, headers }, rules)
}

fn only_excepted(pod: &Pod, path: &str) -> Refusal {
    Refusal::forbidden(
        Cause::NotExcepted,
        format!(
            "Pod {} may read /metadata/instance and /metadata/versions only, not {} . \
         A pod that needs all of IMDS needs an AzurePodIdentityException in namespace {}.",
            pod.id,
            Foreign(path),
            pod.id.namespace
        ),
    )
}

#[cfg(test)]
mod tests;
