//! How are numbers exposed so that dashboards made for the predecessor keep working?
//!
//! Bucket sets and counter names follow the predecessor's (peer contract §6): its counters end in `_count` and
//! carry no `_total`, which `prometheus_client`'s own counter would add.

mod reading;
mod spread;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

pub use reading::{Reading, register_readiness};
pub use spread::{Spread, SpreadOver};

/// Bucket set S: one call, in seconds.
pub const BUCKETS_S: [f64; 18] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0];

/// Bucket set L: long work such as a cycle or a write that is polled to its end, in seconds.
pub const BUCKETS_L: [f64; 11] = [0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1200.0];

/// Bucket set N: a request that may be held, in seconds.
pub const BUCKETS_N: [f64; 18] =
    [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];

/// A counter that is printed under exactly the name it was registered with.
#[derive(Clone, Debug, Default)]
pub struct PlainCounter {
    value: Arc<AtomicU64>,
}

/// Adds `podid_build_info` to `registry`, which should have no prefix: always 1, with the version that runs. A gauge,
/// because the text format knows no other type for it.
pub fn register_build(registry: &mut Registry, version: &'static str) {
    let info = Family::<Vec<(&'static str, &'static str)>, Gauge>::default();
    info.get_or_create(&vec![("version", version)]).set(1);
    registry.register("podid_build_info", "Which podid this is; always 1", info);
}

// === impl PlainCounter ===

impl PlainCounter {
    /// Counts one.
    pub fn inc(&self) {
        self.inc_by(1);
    }

    /// Counts `by`.
    pub fn inc_by(&self, by: u64) {
        self.value.fetch_add(by, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl TypedMetric for PlainCounter {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for PlainCounter {
    // The encoder puts `_total` behind a counter, and nothing behind a gauge; the sample's line is the same.
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::Histogram;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn a_plain_counter_keeps_its_name_and_is_a_counter() {
        let mut registry = Registry::with_prefix("demo");
        let counter = PlainCounter::default();
        registry.register("cycle_count", "Cycles", counter.clone());
        counter.inc();
        counter.inc_by(2);
        assert_eq!(
            text(&registry),
            "# HELP demo_cycle_count Cycles.\n# TYPE demo_cycle_count counter\ndemo_cycle_count 3\n# EOF\n"
        );
    }

    #[test]
    fn a_family_of_plain_counters_keeps_the_name_too() {
        let mut registry = Registry::default();
        let errors = Family::<Vec<(String, String)>, PlainCounter>::default();
        registry.register("errors_count", "Errors", errors.clone());
        errors.get_or_create(&vec![("operation_type".into(), "read".into())]).inc();
        assert!(text(&registry).contains("\nerrors_count{operation_type=\"read\"} 1\n"));
    }

    #[test]
    fn the_version_that_runs_is_a_label() {
        let mut registry = Registry::default();
        register_build(&mut registry, "1.2.3");
        assert!(text(&registry).contains("\npodid_build_info{version=\"1.2.3\"} 1\n"));
    }

    #[test]
    fn bucket_sets_rise_and_are_printed() {
        for set in [&BUCKETS_S[..], &BUCKETS_L, &BUCKETS_N] {
            assert!(set.is_sorted_by(|a, b| a < b));
        }
        let mut registry = Registry::default();
        let histogram = Histogram::new(BUCKETS_N);
        registry.register("wait_seconds", "Waits", histogram.clone());
        histogram.observe(45.0);
        let text = text(&registry);
        assert!(text.contains("wait_seconds_bucket{le=\"40.0\"} 0\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"50.0\"} 1\n"), "{text}");
    }
}
