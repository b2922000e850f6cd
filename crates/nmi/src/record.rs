//! Who asked for what, and what came of it?
//!
//! One value gathers it while the request is served and reports once: one line of the log, one of the audit stream,
//! and metrics. A caller who hangs up drops the request and with it this value, which then says so.

mod asked;

use std::sync::Arc;
use std::time::Duration;

use podid_core::answer::Choice;
use podid_core::facts::{Identity, IdentityKind};
use podid_core::ids::{ObjectRef, Uid};
use podid_core::redact::{Foreign, RedactedId};
use podid_core::refusal::{Cause, Refusal};
use tokio::time::Instant;

use crate::audit::{Entry, Given, Pod, RequestId, Shown};
use crate::metrics::Operation;
use crate::reply::{self, Reply};
use crate::server::Parts;
use crate::snapshot::Resident;
pub(crate) use asked::{Asked, Route};

/// What proxies log for a caller who left before the answer.
const HUNG_UP: u16 = 499;

/// One request in the making.
pub(crate) struct Record {
    parts: Arc<Parts>,
    asked: Asked,
    begun: Instant,
    pod: Option<ObjectRef>,
    uid: Option<Uid>,
    identity: Option<(ObjectRef, Option<IdentityKind>)>,
    binding: Option<ObjectRef>,
    token: Option<Token>,
    holds: Holds,
    resource: String,
    reason: Option<String>,
    cause: Option<Cause>,
    end: Option<End>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a token.
    Served,
    /// With what IMDS said, for an excepted pod.
    PassedThrough,
    /// Finally without a token.
    Refused,
    /// Without a token for now.
    NotYet,
    /// With the caller gone.
    HungUp,
}

/// The token that was found.
#[derive(Clone, Copy, Debug)]
struct Token {
    cached: bool,
    left: Duration,
}

/// How long a caller was held.
#[derive(Debug, Default)]
struct Holds {
    since: Option<Instant>,
    /// In all, if at all.
    length: Option<Duration>,
}

#[derive(Debug)]
struct End {
    status: u16,
    outcome: Outcome,
}

// === impl Record ===

impl Record {
    pub(crate) fn begin(parts: &Arc<Parts>, asked: Asked) -> Self {
        Self {
            parts: parts.clone(),
            asked,
            begun: Instant::now(),
            pod: None,
            uid: None,
            identity: None,
            binding: None,
            token: None,
            holds: Holds::default(),
            resource: String::new(),
            reason: None,
            cause: None,
            end: None,
        }
    }

    /// How long ago the request came in.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// The pod that is named, whether or not it exists.
    pub(crate) fn named(&mut self, pod: &ObjectRef) {
        self.pod = Some(pod.clone());
    }

    pub(crate) fn pod(&mut self, resident: &Resident) {
        self.pod = Some(resident.pod.id.clone());
        self.uid = Some(resident.pod.uid.clone());
    }

    pub(crate) fn resource(&mut self, resource: &str) {
        resource.clone_into(&mut self.resource);
    }

    pub(crate) fn identity(&mut self, choice: Choice<'_>) {
        let Identity { id, kind, .. } = choice.identity;
        self.identity = Some((id.clone(), kind.as_ref().ok().cloned()));
        self.binding = Some(choice.binding.id.clone());
    }

    /// Whether the token was there without asking anybody, and how much life it has left.
    pub(crate) fn token(&mut self, cached: bool, left: Duration) {
        self.token = Some(Token { cached, left });
    }

    /// The caller is held from now on.
    pub(crate) fn hold_begins(&mut self) {
        self.holds.since = Some(Instant::now());
        self.parts.metrics.hold_begins();
    }

    /// The caller is held no longer.
    pub(crate) fn hold_ends(&mut self) {
        if let Some(since) = self.holds.since.take() {
            *self.holds.length.get_or_insert_default() += since.elapsed();
            self.parts.metrics.hold_ends();
        }
    }

    pub(crate) fn reason(&mut self, reason: &str) {
        self.reason = Some(reason.to_owned());
    }

    /// Ends the request; it is reported when the value is dropped.
    pub(crate) fn end(&mut self, status: u16, outcome: Outcome) {
        self.end = Some(End { status, outcome });
    }

    /// Ends the request with a refusal, which is returned as the answer.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) -> Reply {
        self.reason(&refusal.text);
        self.cause = Some(refusal.cause);
        if let (Some(pod), Some(uid)) = (&self.pod, &self.uid) {
            self.parts.notices.refused(pod, uid, refusal);
        }
        let outcome = if refusal.retry_after.is_some() { Outcome::NotYet } else { Outcome::Refused };
        self.end(refusal.status, outcome);
        reply::refusal(refusal)
    }

    fn report(&self, end: &End) {
        let duration = self.begun.elapsed();
        self.log(end, duration);
        self.parts.audit.write(|id| self.entry(id, end, duration));
        if let Some(route) = self.asked.route.name() {
            let namespace = self.pod.as_ref().map_or("", |pod| &pod.namespace);
            let operation = Operation { route, namespace, resource: &self.resource, status: end.status };
            self.parts.metrics.request(operation, duration);
        }
        self.count(end);
    }

    fn count(&self, end: &End) {
        let metrics = &self.parts.metrics;
        if let (Outcome::Served, Some(token)) = (end.outcome, self.token) {
            metrics.served(token.cached, token.left);
        }
        if let Some(cause) = self.cause {
            metrics.refused(cause);
        }
        if let Some(length) = self.holds.length {
            metrics.held(end.outcome.word(), length);
        }
    }

    fn log(&self, end: &End, duration: Duration) {
        let Asked { route, method, peer, .. } = &self.asked;
        let path = self.asked.path();
        let (code, reason) = (self.cause.map(Cause::code), self.reason.as_deref());
        let reason = reason.map(|reason| tracing::field::display(Foreign(reason)));
        if route.name().is_none() {
            if code.is_some() {
                tracing::info!(%peer, %method, %path, status = end.status, code, reason, "request refused");
            }
            return;
        }
        let (namespace, pod) = self.pod.as_ref().map_or(("", ""), |pod| (&pod.namespace, &pod.name));
        let client_id = self.identity.as_ref().and_then(|(_, kind)| Some(kind.as_ref()?.client_id()));
        tracing::info!(
            req.method = %method,
            reg.path = %path,
            req.remote = %peer,
            namespace,
            pod,
            identity = self.identity.as_ref().map(|(id, _)| tracing::field::display(id)),
            client_id = client_id.map(|id| tracing::field::display(RedactedId(id.as_str()))),
            resource = %Foreign(&self.resource),
            status = end.status,
            outcome = end.outcome.word(),
            code,
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            reason,
            "token request"
        );
    }

    fn entry(&self, id: RequestId, end: &End, duration: Duration) -> Entry<'_> {
        let identity = self.identity.as_ref();
        Entry {
            time: (self.parts.clock)(),
            id: Shown(id),
            client_request_id: shown(self.asked.client_request_id()),
            peer: Shown(self.asked.peer),
            method: self.asked.method.as_str(),
            path: Shown(self.asked.path()),
            pod: self.pod.as_ref().map(|pod| Pod::new(pod, self.uid.as_ref().map(Uid::as_str))),
            resource: shown(Some(self.resource.as_str()).filter(|resource| !resource.is_empty())),
            identity: identity.and_then(|(id, kind)| Some(Given::new(id, kind.as_ref()?))),
            binding: self.binding.as_ref().map(Into::into),
            decision: end.outcome.word(),
            reason: self.cause.map(Cause::code),
            text: shown(self.reason.as_deref()),
            status: end.status,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            cached: self.token.map(|token| token.cached),
        }
    }
}

/// A text that may come from outside.
fn shown(text: Option<&str>) -> Option<Shown<Foreign<'_>>> {
    text.map(|text| Shown(Foreign(text)))
}

impl Drop for Record {
    fn drop(&mut self) {
        self.hold_ends();
        let hung_up = End { status: HUNG_UP, outcome: Outcome::HungUp };
        self.report(self.end.as_ref().unwrap_or(&hung_up));
    }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) const ALL: [Self; 5] =
        [Self::Served, Self::PassedThrough, Self::Refused, Self::NotYet, Self::HungUp];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::PassedThrough => "passed through",
            Self::Refused => "refused",
            Self::NotYet => "not yet",
            Self::HungUp => "hung up",
        }
    }
}
