//! What would change for this cluster if podid took the place of the original?
//!
//! [`check`] goes over what is known of a cluster where aad-pod-identity is installed and lists what
//! works differently with podid as its chart installs it. Every finding has a stable [`Code`], says
//! what changes for whom, and what to do: a command, or the value that switches back.
//! One group of rules per file; `docs/how-to/adopt.md` lists the codes.

mod arguments;
mod exceptions;
mod facts;
mod finding;
mod flags;
mod identities;
mod installed;
mod reach;
mod records;
mod secrets;
mod short_cut;
mod workload;

use jiff::Timestamp;

use crate::select::Matching;

pub use facts::{Cluster, Identity, Pod, Record, RecordState, Scope, Secret};
pub use finding::{Code, Finding, Level, Object};
pub use workload::{Product, Role, Workload, WorkloadKind};

use workload::Original;

/// How podid is going to be installed, and what time it is.
pub struct Plan<'a> {
    /// How far matching will reach; the chart's default is [`Matching::Namespaced`].
    pub matching: Matching,
    /// Why an `adEndpoint` will not be asked; none if it will.
    pub refuses_authority: &'a dyn Fn(&str) -> Option<String>,
    /// The time, to tell what is stuck from what is under way.
    pub now: Timestamp,
}

/// Everything that a rule may look at.
struct View<'a> {
    cluster: &'a Cluster,
    original: Original<'a>,
    plan: &'a Plan<'a>,
}

/// All findings, the gravest first, then by code and object.
pub fn check(cluster: &Cluster, plan: &Plan<'_>) -> Vec<Finding> {
    let view = View { cluster, original: Original::of(cluster.workloads()), plan };
    let rules = [
        installed::find,
        flags::find,
        short_cut::find,
        reach::find,
        identities::find,
        secrets::find,
        records::find,
        exceptions::find,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|find| find(&view)).collect();
    findings.sort_by(|a, b| (a.level, a.code, &a.object).cmp(&(b.level, b.code, &b.object)));
    findings
}

/// What no question to the API server can tell, and how to learn it.
pub fn blind_spots() -> [&'static str; 3] {
    [
        "Pods that ask the metadata service without the label aadpodidbinding and without an exception: the original \
         passes their other requests on, podid answers GET of /metadata/instance and /metadata/versions only. What is \
         refused is in the log of podid's agent on that node, with the pod's name; an AzurePodIdentityException lets \
         a pod through.",
        "Programs on the nodes that use /host/token/ of the agent: it is off unless the agent runs with \
         --host-token-route.",
        "A chain aad-metadata that a killed agent of the original left in a node's iptables: podid's redirect comes \
         first, so it does no harm.",
    ]
}

#[cfg(test)]
mod tests;
