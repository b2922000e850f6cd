//! What is counted of the tests of the redirect?

use std::sync::atomic::AtomicI64;

use podid_runtime::metrics::PlainCounter;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::selftest::Fault;

/// How tests of the redirect came out.
#[derive(Debug, Default)]
pub(super) struct SelfTests {
    results: Family<ResultLabels, PlainCounter>,
    success: Gauge<i64, AtomicI64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

// === impl SelfTests ===

impl SelfTests {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nmi_redirect_selftest_total",
            "Tests of whether connections to the metadata address reach this agent, by result: works, broken or untested",
            self.results.clone(),
        );
        registry.register(
            "nmi_redirect_selftest_success",
            "Whether the last test of the redirect succeeded: 1 or 0; 0 before the first one",
            self.success.clone(),
        );
    }

    pub(super) fn count(&self, outcome: &Result<(), Fault>) {
        let (result, success) = match outcome {
            Ok(()) => ("works", 1),
            Err(Fault::Broken { .. }) => ("broken", 0),
            Err(Fault::Untested(_)) => ("untested", 0),
        };
        self.results.get_or_create(&ResultLabels { result }).inc();
        self.success.set(success);
    }
}
