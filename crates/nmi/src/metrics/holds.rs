//! How many callers are held, how long, and what comes of it?

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use podid_runtime::metrics::{Spread, SpreadOver};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Up to the longest hold, in seconds.
const LENGTHS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0];

/// Requests that are held because what they ask for may still come.
#[derive(Debug)]
pub(super) struct Holds {
    now: Gauge<i64, AtomicI64>,
    lengths: Family<OutcomeLabels, Spread, SpreadOver>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

// === impl Holds ===

impl Holds {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nmi_held_requests",
            "Requests that are held now, because what they ask for may still come",
            self.now.clone(),
        );
        registry.register(
            "nmi_hold_duration_seconds",
            "How long requests were held, in seconds, by what came of them",
            self.lengths.clone(),
        );
    }

    pub(super) fn begin(&self) {
        self.now.inc();
    }

    pub(super) fn end(&self) {
        self.now.dec();
    }

    /// Counts a request that was held for `length` in all.
    pub(super) fn count(&self, outcome: &'static str, length: Duration) {
        self.lengths.get_or_create(&OutcomeLabels { outcome }).observe(length.as_secs_f64());
    }
}

impl Default for Holds {
    fn default() -> Self {
        Self { now: Gauge::default(), lengths: Family::new_with_constructor(SpreadOver(&LENGTHS)) }
    }
}
