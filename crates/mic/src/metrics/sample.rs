//! What does a controller expose to which everything has happened?
//!
//! For the page, the dashboard and the alerts, which must name nothing that does not exist.

use std::time::Duration;

use podid_azure::arm::BudgetLeft;
use podid_core::ids::ComputeKind;
use podid_kube::pulse::Pulse;
use podid_runtime::readiness::Readiness;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{CloudLabel, KubeLabel, Metrics, Operation, RecordWrite, budgets, leader, registry, watches};

/// The text of `/metrics`, with every metric and every value of labels that have a fixed set of them.
pub fn sample() -> String {
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = encode(&mut text, &whole());
    text
}

fn whole() -> Registry {
    let (mut registry, metrics) = registry(&Readiness::new());
    let (_, leads) = tokio::sync::watch::channel(true);
    leader(&mut registry, leads);
    watches(&mut registry, crate::watches::KINDS.map(|kind| (kind, Pulse::new())).to_vec());
    budgets(&mut registry, BudgetLeft::all_whole);
    // A new family does not get past here without its values.
    let Metrics {
        cloud_errors,
        cloud_duration,
        kube_errors,
        additions: _,
        deletions: _,
        updates: _,
        cycles: _,
        cycle_duration: _,
        elections: _,
        refused: _,
        assignments: _,
        targets: _,
    } = &metrics;
    for kind in [ComputeKind::VirtualMachine, ComputeKind::ScaleSet] {
        for operation_type in [Operation::get(kind), Operation::update(kind)] {
            cloud_errors.get_or_create(&CloudLabel { operation_type }).inc();
            drop(cloud_duration.get_or_create(&CloudLabel { operation_type }));
        }
    }
    for operation_type in [
        RecordWrite::assigned_identity_addition,
        RecordWrite::assigned_identity_deletion,
        RecordWrite::assigned_identity_update,
        RecordWrite::update_azure_assigned_identity_status,
    ] {
        kube_errors.get_or_create(&KubeLabel { operation_type }).inc();
    }
    metrics.assigned(Duration::from_secs(1));
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_series() {
        let text = sample();
        for descriptor in format!("{:?}", whole()).split("Descriptor { name: \"").skip(1) {
            let name = descriptor.split('"').next().unwrap();
            let has_series = text.lines().any(|line| !line.starts_with('#') && line.contains(name));
            assert!(has_series, "{name} has no series in the sample");
        }
    }
}
