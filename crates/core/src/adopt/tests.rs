//! A cluster of the original, one planted fact per case, and what is found.

use std::sync::Arc;

use super::*;
use crate::desired::fixtures::{binding, managed, pod, principal};
use crate::facts::{Exception, InvalidIdentity, Phase};
use crate::ids::{InvalidId, NodeName, ObjectRef};

/// One rule per file: who stands in the way, and who uses what.
mod installation;
mod objects;

const NOW: &str = "2026-11-24T12:00:00Z";

/// A cluster of which nothing is to be said but that it has the original.
fn quiet() -> Cluster {
    let mut cluster = Cluster {
        scope: Scope::All,
        pods: Some(Vec::new()),
        identities: Some(Vec::new()),
        bindings: Some(Vec::new()),
        exceptions: Some(Vec::new()),
        records: Some(Vec::new()),
        workloads: Some(vec![agent(&[])]),
        ..Cluster::default()
    };
    bind(&mut cluster, "shop", "id", "web");
    add_pod(&mut cluster, pod("shop", "web-1", "web", Some("n1")));
    cluster
}

fn bind(cluster: &mut Cluster, namespace: &str, identity: &str, selector: &str) {
    add_identity(cluster, managed(namespace, identity));
    cluster.bindings.as_mut().unwrap().push(binding(namespace, identity, identity, selector));
}

fn add_pod(cluster: &mut Cluster, fact: crate::facts::Pod) {
    cluster.pods.as_mut().unwrap().push(Pod { fact, replica_set: None });
}

fn add_identity(cluster: &mut Cluster, fact: crate::facts::Identity) -> &mut Identity {
    let identities = cluster.identities.as_mut().unwrap();
    identities.push(Identity { fact, type_: 0, secret: None, authority: None, auxiliary_tenants: 0 });
    identities.last_mut().unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<Arc<str>, Arc<str>> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn workload(kind: WorkloadKind, name: &str, arguments: &[&str]) -> Workload {
    let component = if kind == WorkloadKind::DaemonSet { "nmi" } else { "mic" };
    Workload {
        kind,
        id: ObjectRef::new("default", name),
        labels: labels(&[("component", component)]),
        selector: labels(&[("component", component)]),
        pod_labels: labels(&[("component", component)]),
        image: format!("mcr.microsoft.com/oss/azure/aad-pod-identity/{component}:v1.8.17").into(),
        arguments: arguments.iter().map(|text| (*text).into()).collect(),
        command: 0,
        environment: labels(&[]),
        service_account: "aad-pod-id-mic-service-account".into(),
        wanted: 2,
        installed_by_hand: true,
    }
}

fn agent(arguments: &[&str]) -> Workload {
    let usual = ["--node=$(NODE_NAME)", "--http-probe-port=8085", "--enableScaleFeatures=true"];
    workload(WorkloadKind::DaemonSet, "nmi", &[&usual, arguments].concat())
}

fn controller(arguments: &[&str]) -> Workload {
    let usual = ["--cloudconfig=/etc/kubernetes/azure.json", "--logtostderr"];
    workload(WorkloadKind::Deployment, "mic", &[&usual, arguments].concat())
}

fn found_with(cluster: &Cluster, matching: Matching) -> Vec<Finding> {
    let refuses = |text: &str| {
        let known = text.starts_with("https://login.microsoftonline.com");
        (!known).then(|| format!("{text} is not allowed"))
    };
    check(cluster, &Plan { matching, refuses_authority: &refuses, now: NOW.parse().unwrap() })
}

fn found(cluster: &Cluster) -> Vec<Finding> {
    found_with(cluster, Matching::Namespaced)
}

/// Level, code and object of each finding.
fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|one| format!("{} {} {}", one.level, one.code, one.object)).collect()
}

#[test]
fn a_cluster_that_uses_nothing_odd_has_no_findings() {
    assert_eq!(lines(&found(&quiet())), [""; 0]);
    assert_eq!(lines(&found(&Cluster::default())), [""; 0]);
}

#[test]
fn the_gravest_comes_first_and_every_finding_says_what_to_do() {
    let mut cluster = quiet();
    cluster.workloads =
        Some(vec![agent(&["--set-retry-after-header=true"]), controller(&["--leader-election-name=x"])]);
    add_pod(&mut cluster, pod("other", "web-2", "web", None));
    let findings = found(&cluster);
    assert!(findings.is_sorted_by_key(|finding| finding.level), "{:?}", lines(&findings));
    assert_eq!(findings[0].code, Code::OtherLock);
    for finding in findings {
        assert!(!finding.action.is_empty() && finding.change.ends_with('.'), "{finding:?}");
    }
}

#[test]
fn a_kind_that_could_not_be_read_leads_to_no_conclusion_from_its_absence() {
    let mut cluster = quiet();
    (cluster.identities, cluster.pods) = (None, None);
    cluster.records.as_mut().unwrap().push(objects::record("default", "r"));
    assert_eq!(lines(&found(&cluster)), [""; 0]);
    let mut cluster = quiet();
    cluster.bindings = None;
    assert_eq!(lines(&found(&cluster)), [""; 0]);
}
