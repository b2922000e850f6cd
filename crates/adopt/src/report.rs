//! What was found, ready to be told?

use podid_core::adopt::{Cluster, Finding, Level, Product, Scope, Workload, blind_spots};
use serde_json::{Value, json};

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Controllers and agents, each in a few words.
    pub(crate) installed: Vec<String>,
    /// Whether controllers and agents could be looked at.
    pub(crate) workloads_seen: bool,
    /// Whether the original is there.
    pub(crate) original: bool,
    /// How many records are there to be taken over; none if they could not be looked at.
    pub(crate) records: Option<usize>,
    /// Whether only some namespaces were looked at.
    pub(crate) partial: bool,
    /// The findings, the gravest first.
    pub(crate) findings: Vec<Finding>,
    /// What could not be read, a line each.
    pub(crate) unseen: Vec<String>,
}

// === impl Report ===

impl Report {
    /// The report on `cluster`.
    pub fn new(cluster: &Cluster, findings: Vec<Finding>, unseen: Vec<String>) -> Self {
        let installed = cluster.workloads().iter().map(describe).collect();
        let is_original = |workload: &Workload| workload.product() == Product::Original;
        Self {
            installed,
            workloads_seen: cluster.workloads.is_some(),
            original: cluster.workloads().iter().any(is_original),
            records: cluster.records.as_ref().map(Vec::len),
            partial: cluster.scope != Scope::All,
            findings,
            unseen,
        }
    }

    /// How many findings are of this level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Whether something would work differently, or stands in the way.
    pub fn has_changes(&self) -> bool {
        self.findings.iter().any(|finding| finding.level != Level::Note)
    }

    /// Whether everything could be read.
    pub fn is_complete(&self) -> bool {
        self.unseen.is_empty()
    }

    /// The whole report.
    pub fn json(&self) -> Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "code": finding.code.as_str(),
                "level": finding.level.as_str(),
                "object": {
                    "kind": finding.object.kind,
                    "namespace": finding.object.namespace.as_deref(),
                    "name": &*finding.object.name,
                },
                "change": finding.change,
                "action": finding.action,
            })
        });
        json!({
            "installed": self.installed,
            "records": self.records,
            "findings": findings.collect::<Vec<_>>(),
            "unseen": self.unseen,
            "partial": self.partial,
            "blindSpots": blind_spots(),
            "summary": {
                "blocks": self.count(Level::Blocks),
                "changes": self.count(Level::Changes),
                "notes": self.count(Level::Note),
            },
        })
    }
}

fn describe(workload: &Workload) -> String {
    let pods = if workload.wanted == 1 { "pod" } else { "pods" };
    format!("{} {}: {} {pods} of {}", workload.kind.as_str(), workload.id, workload.wanted, workload.image)
}
