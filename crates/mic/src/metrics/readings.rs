//! What is read from others when somebody asks for it: who leads, what ARM allows, what watches hear?

use std::fmt;

use podid_azure::arm::BudgetLeft;
use podid_kube::pulse::Pulse;
use podid_runtime::metrics::Reading;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

/// Exposes whether this process leads.
pub(crate) fn leader(registry: &mut Registry, leads: watch::Receiver<bool>) {
    let leader = Reading::new(move || if *leads.borrow() { 1.0 } else { 0.0 });
    registry.register("podid_mic_leader", "Whether this process leads: 1 or 0", leader);
}

/// Exposes what of ARM's budgets is left.
pub(crate) fn budgets(registry: &mut Registry, left: impl Fn() -> [BudgetLeft; 5] + Send + Sync + 'static) {
    registry.register_collector(Box::new(Several {
        name: "podid_mic_arm_budget_ratio",
        help: "Part of ARM's budget of requests that is left, the least of all subscriptions; 0 while ARM wants to be left alone",
        labels: ["kind", "verb"],
        read: move || left().map(|budget| ([budget.kind, budget.verb], budget.left)).to_vec(),
    }));
}

/// Exposes how long ago the API server last answered each watch.
pub(crate) fn watches(registry: &mut Registry, pulses: Vec<(&'static str, Pulse)>) {
    registry.register_collector(Box::new(Several {
        name: "podid_mic_watch_age_seconds",
        help: "How long ago the API server last answered a list or watch, in seconds; above ten minutes it does not answer",
        labels: ["kind"],
        read: move || pulses.iter().map(|(kind, pulse)| ([*kind], pulse.age().as_secs_f64())).collect(),
    }));
}

/// A gauge with a value for each of several label values, all read at once.
struct Several<const N: usize, F> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    read: F,
}

// === impl Several ===

impl<const N: usize, F> Collector for Several<N, F>
where
    F: Fn() -> Vec<([&'static str; N], f64)> + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
        for (values, value) in (self.read)() {
            let labels: Vec<_> = self.labels.iter().copied().zip(values).collect();
            let series = metric.encode_family(&labels)?;
            Reading::new(move || value).encode(series)?;
        }
        Ok(())
    }
}

impl<const N: usize, F> fmt::Debug for Several<N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Several").field("name", &self.name).finish_non_exhaustive()
    }
}
