//! What does the controller count?
//!
//! Names, labels and buckets of the original (peer contract §6), and more beside them; every label from a fixed set.

mod assignments;
mod readings;
mod sample;
mod targets;

use std::future::Future;
use std::time::Duration;

use podid_core::ids::ComputeKind;
use podid_runtime::metrics::{BUCKETS_L, BUCKETS_S, PlainCounter};
use podid_runtime::readiness::Readiness;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::news::News;
use assignments::Assignments;
pub(crate) use readings::{budgets, leader, watches};
pub use sample::sample;
use targets::Targets;

/// Prefix of the names that the original has.
const PREFIX: &str = "aadpodidentity";

/// The controller's metrics. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    additions: Written,
    deletions: Written,
    updates: Written,
    cycles: PlainCounter,
    cycle_duration: Histogram,
    elections: PlainCounter,
    cloud_errors: Family<CloudLabel, PlainCounter>,
    cloud_duration: Family<CloudLabel, Histogram, fn() -> Histogram>,
    kube_errors: Family<KubeLabel, PlainCounter>,
    refused: Gauge,
    assignments: Assignments,
    targets: Targets,
}

/// One kind of write to assignments.
#[derive(Clone, Debug)]
struct Written {
    count: PlainCounter,
    duration: Histogram,
}

/// A call to ARM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "label values of the original")]
pub(crate) enum Operation {
    vm_get,
    vm_update,
    vmss_get,
    vmss_update,
}

/// A write to the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "label values of the original")]
pub(crate) enum RecordWrite {
    assigned_identity_addition,
    assigned_identity_deletion,
    assigned_identity_update,
    update_azure_assigned_identity_status,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloudLabel {
    operation_type: Operation,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KubeLabel {
    operation_type: RecordWrite,
}

/// Everything that a controller exposes but for what is read from others, and its own part of it.
pub(crate) fn registry(readiness: &Readiness) -> (Registry, Metrics) {
    let mut registry = Registry::default();
    podid_runtime::process::register(&mut registry);
    podid_runtime::metrics::register_readiness(&mut registry, "podid_mic_ready", readiness);
    podid_runtime::metrics::register_build(&mut registry, env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::new(&mut registry);
    (registry, metrics)
}

// === impl Metrics ===

impl Metrics {
    /// The metrics, registered.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let own = registry.sub_registry_with_prefix("podid");
        let (assignments, targets) = (Assignments::new(own), Targets::new(own));
        let registry = registry.sub_registry_with_prefix(PREFIX);
        let metrics = Self {
            additions: Written::new(),
            deletions: Written::new(),
            updates: Written::new(),
            cycles: PlainCounter::default(),
            cycle_duration: Histogram::new(BUCKETS_L),
            elections: PlainCounter::default(),
            cloud_errors: Family::default(),
            cloud_duration: Family::new_with_constructor(|| Histogram::new(BUCKETS_L)),
            kube_errors: Family::default(),
            refused: Gauge::default(),
            assignments,
            targets,
        };
        metrics.additions.register(registry, "assigned_identity_addition", "Assignments created");
        metrics.deletions.register(registry, "assigned_identity_deletion", "Assignments deleted");
        metrics.updates.register(registry, "assigned_identity_update", "Assignments written anew");
        registry.register("mic_cycle_count", "Passes that had something to do", metrics.cycles.clone());
        registry.register(
            "mic_cycle_duration_seconds",
            "Time of a pass that had something to do",
            metrics.cycle_duration.clone(),
        );
        registry.register(
            "mic_new_leader_election_count",
            "Times that this process became the leader",
            metrics.elections.clone(),
        );
        registry.register(
            "cloud_provider_operations_errors_count",
            "Failed calls to ARM",
            metrics.cloud_errors.clone(),
        );
        registry.register(
            "cloud_provider_operations_duration_seconds",
            "Time of calls to ARM that succeeded",
            metrics.cloud_duration.clone(),
        );
        registry.register(
            "kubernetes_api_operations_errors_count",
            "Failed writes to the Kubernetes API",
            metrics.kube_errors.clone(),
        );
        registry.register(
            "mic_refused_identities",
            "Identities that are set aside because ARM refuses them",
            metrics.refused.clone(),
        );
        metrics
    }

    /// Counts a call to ARM.
    pub(crate) async fn cloud<T, E>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let result = call.await;
        let label = CloudLabel { operation_type: operation };
        match &result {
            Ok(_) => self.cloud_duration.get_or_create(&label).observe(began.elapsed().as_secs_f64()),
            Err(_) => self.cloud_errors.get_or_create(&label).inc(),
        }
        result
    }

    /// Counts a write to the Kubernetes API.
    pub(crate) async fn kube<T, E>(
        &self,
        write: RecordWrite,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let result = call.await;
        let written = match write {
            RecordWrite::assigned_identity_addition => Some(&self.additions),
            RecordWrite::assigned_identity_deletion => Some(&self.deletions),
            RecordWrite::assigned_identity_update => Some(&self.updates),
            RecordWrite::update_azure_assigned_identity_status => None,
        };
        match (&result, written) {
            (Ok(_), Some(written)) => {
                written.count.inc();
                written.duration.observe(began.elapsed().as_secs_f64());
            }
            (Ok(_), None) => {}
            (Err(_), _) => self.kube_errors.get_or_create(&KubeLabel { operation_type: write }).inc(),
        }
        result
    }

    /// Counts a pass that began at `began` and had something to do.
    pub(crate) fn cycle(&self, began: Instant) {
        self.cycles.inc();
        self.cycle_duration.observe(began.elapsed().as_secs_f64());
    }

    /// Counts that this process became the leader.
    pub(crate) fn elected(&self) {
        self.elections.inc();
    }

    /// Tells how many identities are set aside.
    pub(crate) fn refused(&self, count: usize) {
        self.refused.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Tells how many assignments are wanted and not in effect, and since when the oldest of them.
    pub(crate) fn waiting(&self, count: usize, oldest: Option<Instant>) {
        self.assignments.waiting(count, oldest);
    }

    /// Counts an assignment that came into effect after this time.
    pub(crate) fn assigned(&self, after: Duration) {
        self.assignments.assigned(after);
    }

    /// Counts what happened to a VM or scale set.
    pub(crate) fn news(&self, news: &News) {
        self.targets.count(news);
    }
}

// === impl Written ===

impl Written {
    fn new() -> Self {
        Self { count: PlainCounter::default(), duration: Histogram::new(BUCKETS_S) }
    }

    fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(format!("{name}_count"), help, self.count.clone());
        registry.register(
            format!("{name}_duration_seconds"),
            format!("{help}: time of a write"),
            self.duration.clone(),
        );
    }
}

// === impl Operation ===

impl Operation {
    /// Reading a target of this kind.
    pub(crate) fn get(kind: ComputeKind) -> Self {
        match kind {
            ComputeKind::VirtualMachine => Self::vm_get,
            ComputeKind::ScaleSet => Self::vmss_get,
        }
    }

    /// Writing a target of this kind.
    pub(crate) fn update(kind: ComputeKind) -> Self {
        match kind {
            ComputeKind::VirtualMachine => Self::vm_update,
            ComputeKind::ScaleSet => Self::vmss_update,
        }
    }
}
