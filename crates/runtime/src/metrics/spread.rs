//! How are values counted by their size, by many at once and without a lock?

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A histogram with fixed buckets. Clones count together. Nothing waits and nothing is allocated when a value comes.
#[derive(Clone, Debug)]
pub struct Spread {
    cells: Arc<Cells>,
}

/// Makes the histograms of a family.
#[derive(Clone, Copy, Debug)]
pub struct SpreadOver(pub &'static [f64]);

#[derive(Debug)]
struct Cells {
    /// Upper bounds of the buckets, rising, without the last one.
    bounds: &'static [f64],
    /// One more than there are bounds: the last one is for what is larger than all.
    counts: Box<[AtomicU64]>,
    /// The bits of a floating-point number.
    sum: AtomicU64,
}

// === impl Spread ===

impl Spread {
    /// A histogram whose buckets end at `bounds`, which rise.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { cells: Arc::new(Cells { bounds, counts, sum: AtomicU64::new(0) }) }
    }

    /// Counts `value`.
    pub fn observe(&self, value: f64) {
        let Cells { bounds, counts, sum } = &*self.cells;
        let bucket = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |sum: u64| Some((f64::from_bits(sum) + value).to_bits());
        // The closure always gives a value, so this cannot fail.
        let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.cells.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl TypedMetric for Spread {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Spread {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let Cells { bounds, counts, sum } = &*self.cells;
        let bounds = bounds.iter().copied().chain([f64::INFINITY]);
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // From what was read, so that it agrees with the buckets while others count on.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = f64::from_bits(sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

// === impl SpreadOver ===

impl MetricConstructor<Spread> for SpreadOver {
    fn new_metric(&self) -> Spread {
        Spread::new(self.0)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use super::*;

    const BOUNDS: [f64; 3] = [0.5, 1.0, 2.5];

    fn text(register: impl FnOnce(&mut Registry)) -> String {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn it_is_exposed_as_the_library_s_own_histogram_is() {
        let (ours, theirs) = (Spread::new(&BOUNDS), Histogram::new(BOUNDS));
        // Below all, on a bound, between, above all.
        for value in [0.0, 0.5, 0.75, 1.0, 2.5, 2.75, 1e6] {
            ours.observe(value);
            theirs.observe(value);
        }
        assert_eq!(
            text(|registry| registry.register("wait_seconds", "Waits", ours)),
            text(|registry| registry.register("wait_seconds", "Waits", theirs))
        );
    }

    #[test]
    fn nothing_is_lost_when_many_count_at_once() {
        let spread = Spread::new(&BOUNDS);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| spread.observe(1.0)));
            }
        });
        let text = text(|registry| registry.register("wait_seconds", "Waits", spread));
        assert!(text.contains("wait_seconds_sum 40000.0\nwait_seconds_count 40000\n"), "{text}");
    }
}
