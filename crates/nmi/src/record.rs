//! Who asked for which token, and what came of it?
//!
//! One value gathers it while the request is served and reports once: one audit line and one metric.
//! A caller who hangs up drops the request and with it this value, which then says so.

use std::time::Duration;

use podid_core::facts::Identity;
use podid_core::ids::{ClientId, ObjectRef};
use podid_core::redact::{Foreign, RedactedId};
use podid_core::refusal::{Cause, Refusal};
use tokio::time::Instant;

use crate::metrics::{Metrics, Operation};
use crate::reply::{self, Reply};

/// What proxies log for a caller who left before the answer.
const HUNG_UP: u16 = 499;

/// One request in the making.
#[derive(Debug)]
pub(crate) struct Record {
    metrics: Metrics,
    route: &'static str,
    begun: Instant,
    pod: Option<ObjectRef>,
    identity: Option<(ObjectRef, Option<ClientId>)>,
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

#[derive(Debug)]
struct End {
    status: u16,
    outcome: Outcome,
}

// === impl Record ===

impl Record {
    pub(crate) fn begin(metrics: &Metrics, route: &'static str) -> Self {
        Self {
            metrics: metrics.clone(),
            route,
            begun: Instant::now(),
            pod: None,
            identity: None,
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

    pub(crate) fn pod(&mut self, pod: &ObjectRef) {
        self.pod = Some(pod.clone());
    }

    pub(crate) fn resource(&mut self, resource: &str) {
        resource.clone_into(&mut self.resource);
    }

    pub(crate) fn identity(&mut self, identity: &Identity) {
        let client_id = identity.kind.as_ref().ok().map(|kind| kind.client_id().clone());
        self.identity = Some((identity.id.clone(), client_id));
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
        let outcome = if refusal.retry_after.is_some() { Outcome::NotYet } else { Outcome::Refused };
        self.end(refusal.status, outcome);
        reply::refusal(refusal)
    }

    fn report(&self, end: &End) {
        let duration = self.begun.elapsed();
        let (namespace, pod) = self.pod.as_ref().map_or(("", ""), |pod| (&pod.namespace, &pod.name));
        let (identity, client_id) = self
            .identity
            .as_ref()
            .map_or((None, None), |(identity, client_id)| (Some(identity), client_id.as_ref()));
        let operation =
            Operation { route: self.route, namespace, resource: &self.resource, status: end.status };
        self.metrics.request(operation, duration);
        tracing::info!(
            route = self.route,
            namespace,
            pod,
            identity = identity.map(tracing::field::display),
            client_id = client_id.map(|id| tracing::field::display(RedactedId(id.as_str()))),
            resource = %Foreign(&self.resource),
            status = end.status,
            outcome = end.outcome.word(),
            code = self.cause.map(Cause::code),
            duration_ms = milliseconds(duration),
            reason = self.reason.as_deref().map(|reason| tracing::field::display(Foreign(reason))),
            "token request"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let hung_up = End { status: HUNG_UP, outcome: Outcome::HungUp };
        self.report(self.end.as_ref().unwrap_or(&hung_up));
    }
}

// === impl Outcome ===

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::PassedThrough => "passed through",
            Self::Refused => "refused",
            Self::NotYet => "not yet",
            Self::HungUp => "hung up",
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
