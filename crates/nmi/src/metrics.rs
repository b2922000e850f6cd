//! What does this agent count, under the original's names (peer contract §6) and beside them?
//!
//! Labels are bounded, whatever pods send (W-09): routes have fixed names, and values beyond a
//! number of distinct ones are counted as "other".

mod bounded;
mod holds;
mod refusals;
mod sample;
mod selftest;
mod served;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use podid_core::refusal::Cause;
use podid_runtime::metrics::{BUCKETS_N, BUCKETS_S, PlainCounter, Spread, SpreadOver};
use podid_runtime::readiness::Readiness;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use bounded::Bounded;
use holds::Holds;
use refusals::Refusals;
pub use sample::sample;
use selftest::SelfTests;
use served::ServedTokens;
use upstream::Upstreams;
pub(crate) use upstream::{Queued, Trouble, Upstream};

use crate::selftest::Fault;

/// Most distinct namespaces and resources that get a series of their own.
const NAMESPACES: usize = 256;
const RESOURCES: usize = 64;

/// The agent's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    requests: Family<RequestLabels, Spread, SpreadOver>,
    kubernetes_errors: Family<OperationLabels, PlainCounter>,
    source_errors: Family<OperationLabels, PlainCounter>,
    source_durations: Family<OperationLabels, Spread, SpreadOver>,
    self_tests: SelfTests,
    redirect_repairs: PlainCounter,
    audit_lost: PlainCounter,
    served: ServedTokens,
    holds: Holds,
    upstreams: Upstreams,
    refusals: Refusals,
    namespaces: Bounded,
    resources: Bounded,
}

/// What a request was, for its metric.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The route, by its fixed name.
    pub route: &'static str,
    /// The pod's namespace, empty if it is not known.
    pub namespace: &'a str,
    /// The resource asked for, empty if none was.
    pub resource: &'a str,
    /// The status of the answer.
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    namespace: Arc<str>,
    operation_type: &'static str,
    resource: Arc<str>,
    status_code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation_type: &'static str,
}

/// Everything that an agent exposes, and the agent's own part of it.
pub fn registry(readiness: &Readiness) -> (Registry, Metrics) {
    let mut registry = Registry::default();
    podid_runtime::process::register(&mut registry);
    podid_runtime::metrics::register_readiness(&mut registry, "podid_nmi_ready", readiness);
    podid_runtime::metrics::register_build(&mut registry, env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::register(&mut registry);
    (registry, metrics)
}

// === impl Metrics ===

impl Metrics {
    /// Metrics that are shown in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let inner = Inner {
            requests: Family::new_with_constructor(SpreadOver(&BUCKETS_N)),
            kubernetes_errors: Family::default(),
            source_errors: Family::default(),
            source_durations: Family::new_with_constructor(SpreadOver(&BUCKETS_S)),
            self_tests: SelfTests::default(),
            redirect_repairs: PlainCounter::default(),
            audit_lost: PlainCounter::default(),
            served: ServedTokens::default(),
            holds: Holds::default(),
            upstreams: Upstreams::default(),
            refusals: Refusals::default(),
            namespaces: Bounded::new(NAMESPACES),
            resources: Bounded::new(RESOURCES),
        };
        let own = registry.sub_registry_with_prefix("podid");
        own.register(
            "audit_lines_lost_total",
            "Lines of the audit stream that could not be written",
            inner.audit_lost.clone(),
        );
        inner.served.register(own);
        inner.holds.register(own);
        inner.upstreams.register(own);
        inner.refusals.register(own);
        let registry = registry.sub_registry_with_prefix("aadpodidentity");
        registry.register(
            "nmi_operations_duration_seconds",
            "How long token requests took, in seconds",
            inner.requests.clone(),
        );
        registry.register(
            "kubernetes_api_operations_errors_count",
            "Failed calls of the Kubernetes API",
            inner.kubernetes_errors.clone(),
        );
        registry.register(
            "imds_operations_errors_count",
            "Failed calls of IMDS and Entra",
            inner.source_errors.clone(),
        );
        registry.register(
            "imds_operations_duration_seconds",
            "How long successful calls of IMDS and Entra took, in seconds",
            inner.source_durations.clone(),
        );
        inner.self_tests.register(registry);
        registry.register(
            "nmi_redirect_repairs_total",
            "How often another program changed the rules of the redirect and they were put back",
            inner.redirect_repairs.clone(),
        );
        Self { inner: Arc::new(inner) }
    }

    /// Counts a request that took `duration`.
    pub fn request(&self, operation: Operation<'_>, duration: Duration) {
        // A resource that no token was given for is only what some pod wrote.
        let resource = if operation.status == 200 || operation.resource.is_empty() {
            self.inner.resources.label(operation.resource)
        } else {
            self.inner.resources.known_label(operation.resource)
        };
        let labels = RequestLabels {
            namespace: self.inner.namespaces.label(operation.namespace),
            operation_type: operation.route,
            resource,
            status_code: operation.status,
        };
        self.inner.requests.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Counts a token that was served with so much life left.
    pub(crate) fn served(&self, cached: bool, left: Duration) {
        self.inner.served.count(cached, left);
    }

    /// Counts a request without a token.
    pub(crate) fn refused(&self, cause: Cause) {
        self.inner.refusals.count(cause);
    }

    /// A request is held from now on.
    pub(crate) fn hold_begins(&self) {
        self.inner.holds.begin();
    }

    /// It is held no longer.
    pub(crate) fn hold_ends(&self) {
        self.inner.holds.end();
    }

    /// Counts a request that was held for `length` in all, with what came of it.
    pub(crate) fn held(&self, outcome: &'static str, length: Duration) {
        self.inner.holds.count(outcome, length);
    }

    /// Counts a call of an upstream.
    pub(crate) fn upstream(&self, upstream: Upstream, duration: Duration, trouble: Option<Trouble<'_>>) {
        self.inner.upstreams.count(upstream, duration, trouble);
    }

    /// A question waits for its turn until what is returned is dropped.
    pub(crate) fn queue(&self, upstream: Upstream) -> Queued {
        self.inner.upstreams.queue(upstream)
    }

    /// Counts a test of the redirect.
    pub fn self_test(&self, outcome: &Result<(), Fault>) {
        self.inner.self_tests.count(outcome);
    }

    /// Counts a repair of the redirect.
    pub fn redirect_repaired(&self) {
        self.inner.redirect_repairs.inc();
    }

    /// Counts lines of the audit stream that were lost.
    pub fn audit_lost(&self) -> PlainCounter {
        self.inner.audit_lost.clone()
    }

    /// Counts a failed call of the Kubernetes API.
    pub fn kubernetes_error(&self, operation_type: &'static str) {
        self.inner.kubernetes_errors.get_or_create(&OperationLabels { operation_type }).inc();
    }

    /// Counts a call of IMDS or Entra.
    pub fn source_call(&self, operation_type: &'static str, duration: Duration, succeeded: bool) {
        let labels = OperationLabels { operation_type };
        if succeeded {
            self.inner.source_durations.get_or_create(&labels).observe(duration.as_secs_f64());
        } else {
            self.inner.source_errors.get_or_create(&labels).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn operation(resource: &str, status: u16) -> Operation<'_> {
        Operation { route: "/metadata/identity/oauth2/token", namespace: "shop", resource, status }
    }

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn names_and_labels_are_the_originals() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.request(operation("https://vault.azure.net", 200), Duration::from_secs(1));
        metrics.kubernetes_error("get_secret");
        metrics.source_call("adal_token_msi_userassignedid", Duration::from_millis(20), true);
        metrics.source_call("adal_token", Duration::ZERO, false);
        let text = text(&registry);
        let lines = [
            "aadpodidentity_nmi_operations_duration_seconds_count{namespace=\"shop\",\
             operation_type=\"/metadata/identity/oauth2/token\",resource=\"https://vault.azure.net\",status_code=\"200\"} 1",
            "aadpodidentity_kubernetes_api_operations_errors_count{operation_type=\"get_secret\"} 1",
            "aadpodidentity_imds_operations_duration_seconds_count{operation_type=\"adal_token_msi_userassignedid\"} 1",
            "aadpodidentity_imds_operations_errors_count{operation_type=\"adal_token\"} 1",
        ];
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn w09_a_pod_cannot_make_series_by_what_it_sends() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        for number in 0..10_000 {
            let resource = format!("https://made-up-{number}");
            metrics.request(operation(&resource, 400), Duration::ZERO);
            metrics.request(operation(&resource, 200), Duration::ZERO);
        }
        let series = text(&registry).lines().filter(|line| line.contains("_count{")).count();
        assert!(series <= 2 * (RESOURCES + 1), "{series}");
    }
}
