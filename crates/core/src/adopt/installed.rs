//! Does what is installed of the original stand in podid's way?

use std::collections::BTreeSet;

use super::finding::some;
use super::workload::{Product, Role, Workload};
use super::{Code, Finding, Level, Object, View};
use crate::ids::NodeName;

/// Labels of what AKS itself keeps installed.
const MANAGED_LABELS: [(&str, Option<&str>); 2] =
    [("kubernetes.azure.com/managedby", Some("aks")), ("addonmanager.kubernetes.io/mode", None)];

/// The first release with the kinds' present spelling.
const FIRST_VERSION: (u32, u32) = (1, 6);

/// The lock that both controllers use unless told otherwise (peer contract §2.3).
const LOCK: [(&str, &str, &str); 2] = [
    ("leader-election-namespace", "default", "mic.leaderElection.namespace"),
    ("leader-election-name", "aad-pod-identity-mic", "mic.leaderElection.name"),
];

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in view.original.all() {
        findings.extend(addon(workload));
        findings.extend(too_old(workload));
    }
    for controller in &view.original.controllers {
        findings.extend(other_lock(controller));
        findings.push(old_writer(controller));
    }
    for agent in &view.original.agents {
        findings.extend(ports(view, agent));
    }
    findings.extend(two_agents(view));
    findings
}

fn addon(workload: &Workload) -> Option<Finding> {
    let is_labelled = MANAGED_LABELS.iter().any(|(key, value)| {
        let found = workload.labels.get(*key).or_else(|| workload.pod_labels.get(*key));
        found.is_some_and(|found| value.is_none_or(|value| **found == *value))
    });
    let looks_managed = *workload.id.namespace == *"kube-system"
        && *workload.id.name == *"nmi"
        && workload.is_managed()
        && !workload.installed_by_hand;
    (is_labelled || looks_managed).then(|| Finding {
        code: Code::Addon,
        level: Level::Blocks,
        object: object(workload),
        change: "It belongs to the pod identity add-on of AKS, which puts it back when it is changed or deleted, and \
                 which deletes its identities and bindings when it is switched off."
            .to_owned(),
        action: "kubectl get azureidentity,azureidentitybinding,azurepodidentityexception -A -o yaml \
                 >pod-identity.yaml && az aks update -g GROUP -n CLUSTER --disable-pod-identity && \
                 kubectl apply -f pod-identity.yaml"
            .to_owned(),
    })
}

fn too_old(workload: &Workload) -> Option<Finding> {
    let (major, minor) = workload.version().filter(|version| *version < FIRST_VERSION)?;
    Some(Finding {
        code: Code::TooOld,
        level: Level::Blocks,
        object: object(workload),
        change: format!(
            "Release {major}.{minor} writes the fields of identities and bindings in another spelling, which the \
             API server drops."
        ),
        action: "Upgrade aad-pod-identity to 1.8 first; its controller rewrites the objects.".to_owned(),
    })
}

fn other_lock(controller: &Workload) -> Option<Finding> {
    let other = LOCK.iter().filter_map(|(flag, usual, value)| {
        let given = controller.flag(flag).filter(|given| !given.is_empty() && given != usual)?;
        Some(format!("--set {value}={given}"))
    });
    let values: Vec<String> = other.collect();
    (!values.is_empty()).then(|| Finding {
        code: Code::OtherLock,
        level: Level::Blocks,
        object: object(controller),
        change: "It holds another lock than podid's controller would, so both would work at once.".to_owned(),
        action: format!("helm install … {}", values.join(" ")),
    })
}

fn old_writer(controller: &Workload) -> Finding {
    let account = format!("system:serviceaccount:{}:{}", controller.id.namespace, controller.service_account);
    Finding {
        code: Code::OldWriter,
        level: Level::Changes,
        object: object(controller),
        change: "podid's admission policy lets only podid's controller write AzureAssignedIdentity, so the old one \
                 would fail while it still works, or works again after a roll-back."
            .to_owned(),
        action: format!(
            "--set 'policies.assignmentWriters.additional={{{account}}}' until the original is removed"
        ),
    }
}

fn ports(view: &View<'_>, agent: &Workload) -> Option<Finding> {
    let nodes = nodes_of(view, agent);
    let count = nodes.len();
    (count > 0).then(|| Finding {
        code: Code::PortsTaken,
        level: Level::Note,
        object: object(agent),
        change: format!(
            "It holds the ports 2579, {} and {} of {count} {}; podid's agent cannot start there before it is gone.",
            agent.flag("http-probe-port").unwrap_or("8080"),
            agent.flag("prometheus-port").unwrap_or("9090"),
            if count == 1 { "node" } else { "nodes" },
        ),
        action: "Install podid with --set nmi.nodeSelector.podid\\.dev/agent=podid and hand over one node after the \
                 other (docs/how-to/adopt.md)."
            .to_owned(),
    })
}

fn two_agents(view: &View<'_>) -> Vec<Finding> {
    let new = view
        .cluster
        .workloads()
        .iter()
        .filter(|workload| workload.role() == Some(Role::Nmi) && workload.product() == Product::Podid);
    let new: Vec<(&Workload, BTreeSet<&NodeName>)> =
        new.map(|agent| (agent, nodes_of(view, agent))).collect();
    let pairs = view.original.agents.iter().flat_map(|old| new.iter().map(move |new| (old, new)));
    pairs
        .filter_map(|(old, (agent, nodes))| {
            let both: Vec<_> = nodes_of(view, old).intersection(nodes).copied().collect();
            (!both.is_empty()).then(|| Finding {
                code: Code::TwoAgents,
                level: Level::Blocks,
                object: object(agent),
                change: format!("It and {} are both on {}.", object(old), some(both)),
                action: "kubectl label node NODE podid.dev/agent=none --overwrite; then go on with \"hand over a node\" \
                         in docs/how-to/adopt.md."
                    .to_owned(),
            })
        })
        .collect()
}

/// The nodes on which the workload has a pod that is not finished.
fn nodes_of<'a>(view: &View<'a>, workload: &Workload) -> BTreeSet<&'a NodeName> {
    let pods = view.cluster.pods().iter().map(|pod| &pod.fact);
    pods.filter(|pod| pod.is_live() && workload.owns(&pod.id.namespace, &pod.labels))
        .filter_map(|pod| pod.node.as_ref())
        .collect()
}

pub(super) fn object(workload: &Workload) -> Object {
    Object::new(workload.kind.as_str(), &workload.id)
}
