//! How is a number exposed that somebody keeps anyway?

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

/// A gauge that is read when somebody asks for it.
pub struct Reading {
    read: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// Adds the gauge `name` to `registry`, which tells whether the process is ready.
pub fn register_readiness(registry: &mut Registry, name: &'static str, readiness: &Readiness) {
    let readiness = readiness.clone();
    let ready = Reading::new(move || if readiness.pending().is_empty() { 1.0 } else { 0.0 });
    registry.register(name, "Whether this process is ready: 1 or 0", ready);
}

// === impl Reading ===

impl Reading {
    /// A gauge of what `read` gives, which must not take long.
    pub fn new(read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self { read: Box::new(read) }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

impl TypedMetric for Reading {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Reading {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&(self.read)())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn readiness_is_told_as_it_is_when_somebody_asks() {
        let (mut registry, readiness) = (Registry::default(), Readiness::new());
        register_readiness(&mut registry, "role_ready", &readiness);
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        let guard = readiness.guard("watches");
        assert!(text().contains("\nrole_ready 0.0\n"), "{}", text());
        drop(guard);
        assert!(text().contains("\nrole_ready 1.0\n"), "{}", text());
    }
}
