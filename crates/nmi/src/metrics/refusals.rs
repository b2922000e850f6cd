//! How often did a caller get no token, for which reason?

use podid_core::refusal::Cause;
use podid_runtime::metrics::PlainCounter;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Refusals by their word. Every word is there from the start: what appears with its first refusal would hide it from
/// whoever looks at increases.
#[derive(Debug)]
pub(super) struct Refusals {
    by_reason: Family<ReasonLabels, PlainCounter>,
    counters: Vec<(Cause, PlainCounter)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

// === impl Refusals ===

impl Refusals {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nmi_refusals_total",
            "Requests that were refused, for now or for good, by the word of the reason; probes of SDKs are among them",
            self.by_reason.clone(),
        );
    }

    pub(super) fn count(&self, cause: Cause) {
        if let Some((_, counter)) = self.counters.iter().find(|(known, _)| *known == cause) {
            counter.inc();
        }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        let by_reason = Family::<ReasonLabels, PlainCounter>::default();
        let counter = |cause: Cause| by_reason.get_or_create(&ReasonLabels { reason: cause.code() }).clone();
        let counters = Cause::ALL.iter().map(|cause| (*cause, counter(*cause))).collect();
        Self { by_reason, counters }
    }
}
