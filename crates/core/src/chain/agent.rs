//! Does NMI answer on the pod's node?

use super::index::Index;
use super::scene::{Installed, Node, Run, Runner, Seen, Words};
use super::walk::View;
use super::{Cross, Outcome, controller, mend, rights};
use crate::adopt::{Object, Product, Role, WorkloadKind};
use crate::code::Obstacle;
use crate::ids::{NodeName, ObjectRef};
use crate::refusal::Cause;
use crate::request::Selector;
use crate::select::Grant;

/// Says what taking over from the original changes, and writes nothing.
pub(super) const ADOPT: &str = "podid adopt check";

/// What NMI of a node is.
pub(super) enum Agent<'a> {
    /// It is ready.
    Ready(&'a Runner),
    /// It is not, or not there.
    Broken(Cross),
    /// It could not be looked at.
    Unseen(String),
}

pub(super) fn look(view: &View<'_>) -> Outcome {
    let Some(node) = &view.pod.fact.node else { return Outcome::Unseen("the pod has no node".to_owned()) };
    match of_node(view.index, node) {
        Agent::Ready(runner) => Outcome::Holds(format!("Pod {} is ready on {node}", runner.workload.id)),
        // That it runs is one thing, that connections reach it another.
        Agent::Broken(cross) if cross.code == Obstacle::RedirectBroken.into() => {
            Outcome::Holds(format!("it runs on {node}"))
        }
        Agent::Broken(cross) => cross.into(),
        Agent::Unseen(why) => Outcome::Unseen(why),
    }
}

pub(super) fn redirect(view: &View<'_>) -> Outcome {
    let Some(node) = &view.pod.fact.node else { return Outcome::Unseen("the pod has no node".to_owned()) };
    match of_node(view.index, node) {
        Agent::Broken(cross) => cross.into(),
        Agent::Unseen(why) => Outcome::Unseen(why),
        Agent::Ready(_) if view.agent.self_test => {
            Outcome::Holds("NMI is ready only while its own test shows that connections reach it".to_owned())
        }
        Agent::Ready(_) => Outcome::Holds(
            "it is in place; that it works is not tested (--redirect-selftest=false)".to_owned(),
        ),
    }
}

/// Looks at NMI on `node`.
pub(super) fn of_node<'a>(index: &Index<'a>, node: &NodeName) -> Agent<'a> {
    if let Seen::Unseen(why) = &index.scene.runners {
        return Agent::Unseen(why.to_string());
    }
    let here = index.agents(node);
    let ours = here.iter().find(|runner| runner.workload.product() == Product::Podid);
    let Some(runner) = ours else {
        return match here.first() {
            Some(original) => Agent::Broken(of_original(index, node, original)),
            None => absent(index, node),
        };
    };
    if runner.run == Run::Ready {
        return Agent::Ready(runner);
    }
    let lacking = rights::cross(index, &runner.account(), Role::Nmi);
    Agent::Broken(lacking.unwrap_or_else(|| sick(index, node, runner)))
}

fn absent<'a>(index: &Index<'a>, node: &NodeName) -> Agent<'a> {
    let is_ours =
        |one: &&Installed| one.workload.role() == Some(Role::Nmi) && one.workload.product() == Product::Podid;
    let Some(daemon_set) = index.scene.installed.list().iter().find(is_ours) else {
        // Whoever may not see DaemonSets saw no pod of NMI either, which is not the same as none.
        if let (Some(why), None) = (index.scene.installed.unseen(), index.workloads(Role::Nmi).next()) {
            return Agent::Unseen(why.to_owned());
        }
        let mic = index.workloads(Role::Mic).find(|one| one.product() == Product::Podid);
        let elsewhere = index.workloads(Role::Nmi).next().is_some();
        let code = if elsewhere { Obstacle::NmiNotOnNode } else { Obstacle::NmiAbsent };
        let missing = if elsewhere {
            format!("NMI has no pod on node {node}")
        } else {
            "there is no NMI in the cluster".to_owned()
        };
        return Agent::Broken(
            Cross::new(code, missing)
                .in_object(super::place::node_object(node))
                .with_caution("this gives every part of podid the settings of `podid manifests`; with Helm, upgrade the release")
                .mended_by([controller::install(mic)]),
        );
    };
    let id = &daemon_set.workload.id;
    let known = index.scene.nodes.known().and_then(|nodes| nodes.get(node));
    let (why, commands) = match known {
        Some(known) => unfit(daemon_set, known),
        None => ("the node is not known".to_owned(), vec![describe(id)]),
    };
    Agent::Broken(
        Cross::new(Obstacle::NmiNotOnNode, format!("DaemonSet {id} has no pod on node {node}: {why}"))
            .in_object(Object::new("DaemonSet", id))
            .mended_by(commands),
    )
}

/// Why a DaemonSet puts no pod on a node.
fn unfit(daemon_set: &Installed, node: &Node) -> (String, Vec<String>) {
    let name = mend::word(node.fact.name.as_str());
    let lacking: Vec<_> =
        daemon_set.node_selector.iter().filter(|(key, value)| node.labels.get(*key) != Some(value)).collect();
    if !lacking.is_empty() {
        let labels: Vec<_> = lacking.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let words: Vec<_> = labels.iter().map(|label| mend::word(label)).collect();
        let command = format!("kubectl label node {name} {} --overwrite", words.join(" "));
        return (format!("the node has no label {}", labels.join(", ")), vec![command]);
    }
    let id = &daemon_set.workload.id;
    if !daemon_set.tolerates_all && !node.taints.is_empty() {
        let taints: Vec<_> = node.taints.iter().map(AsRef::as_ref).collect();
        let patch = r#"{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}"#;
        let why = format!("the node has the taint {}, which it may not tolerate", taints.join(", "));
        return (why, vec![mend::patch("daemonset", id, patch)]);
    }
    ("its events say why".to_owned(), vec![describe(id)])
}

fn describe(id: &ObjectRef) -> String {
    format!("kubectl describe daemonset {} -n {}", mend::word(&id.name), mend::word(&id.namespace))
}

fn of_original(index: &Index<'_>, node: &NodeName, original: &Runner) -> Cross {
    let id = &original.workload.id;
    let missing =
        format!("node {node} has NMI of aad-pod-identity (Pod {id}), which answers by its own rules");
    let cross = Cross::new(Obstacle::OriginalAgent, missing).in_object(Object::new("Pod", id));
    let ours = index
        .scene
        .installed
        .list()
        .iter()
        .find(|one| one.workload.role() == Some(Role::Nmi) && one.workload.product() == Product::Podid);
    let label = |value: &str| {
        format!("kubectl label node {} podid.dev/agent={value} --overwrite", mend::word(node.as_str()))
    };
    let gone = format!(
        "kubectl wait pod {} -n {} --for=delete --timeout=2m",
        mend::word(&id.name),
        mend::word(&id.namespace)
    );
    let handed_over = ours.is_some_and(|one| one.node_selector.contains_key("podid.dev/agent"));
    if handed_over {
        return cross
            .with_caution("the old DaemonSet has to leave nodes with that label (docs/how-to/adopt.md)")
            .mended_by([label("none"), gone, label("podid")]);
    }
    // It may serve every pod of the node, so nothing here takes it away.
    cross
        .with_caution("docs/how-to/adopt.md hands nodes over one by one, with a way back")
        .mended_by([ADOPT.to_owned()])
}

/// What is wrong with an NMI that is not ready.
fn sick(index: &Index<'_>, node: &NodeName, runner: &Runner) -> Cross {
    let id = &runner.workload.id;
    let words = runner.words.as_ref().and_then(Seen::known).cloned().unwrap_or_default();
    let said = words.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let object = Object::new("Pod", id);
    if words.kubenet {
        let missing = format!("NMI does not start on node {node}{said}");
        return Cross::new(Obstacle::Kubenet, missing)
            .in_object(object)
            .with_caution(
                "on kubenet a pod with NET_RAW can take another's address and so its identity; drop NET_RAW from all \
                 pods first",
            )
            .mended_by(allow_kubenet(index));
    }
    let again = restart(runner);
    match &runner.run {
        Run::Down(why) => {
            let missing = format!("Pod {id} of NMI on node {node} does not run: {why}{said}");
            Cross::new(Obstacle::NmiNotRunning, missing).in_object(object).mended_by(again)
        }
        _ if words.redirect => {
            let missing =
                format!("Pod {id} runs on node {node}, but connections of pods do not reach it{said}");
            Cross::new(Obstacle::RedirectBroken, missing)
                .in_object(object)
                .with_caution(
                    "if it comes back, another data plane takes the packets: docs/how-to/other-networks.md",
                )
                .mended_by(again)
        }
        _ => {
            let missing = format!("Pod {id} of NMI on node {node} runs and is not ready{said}");
            Cross::new(Obstacle::NmiNotReady, missing).in_object(object).mended_by(again)
        }
    }
}

fn allow_kubenet(index: &Index<'_>) -> Option<String> {
    let ours = index
        .scene
        .installed
        .list()
        .iter()
        .map(|one| &one.workload)
        .find(|one| one.kind == WorkloadKind::DaemonSet && one.product() == Product::Podid)?;
    let patch = r#"[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--allow-network-plugin-kubenet=true"}]"#;
    Some(mend::json_patch("daemonset", &ours.id, patch))
}

/// Makes an NMI begin anew.
fn restart(runner: &Runner) -> Vec<String> {
    let id = &runner.workload.id;
    let (namespace, name) = (mend::word(&id.namespace), mend::word(&id.name));
    match &runner.owner {
        Some(_) => vec![format!("kubectl delete pod {name} -n {namespace}")],
        None => vec![format!("kubectl get pod {name} -n {namespace} -o yaml | kubectl replace --force -f -")],
    }
}

pub(super) fn token(view: &View<'_>, grant: &Grant<'_>) -> Outcome {
    let pod = &view.pod.fact;
    if let Some(other) = view.index.namesakes(pod) {
        let missing = format!(
            "pods {} and {} both have the address {}, so NMI cannot know which of them asks",
            pod.id,
            other.fact.id,
            pod.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        return Cross::new(Cause::CallerAmbiguous, missing)
            .in_object(Object::new("Pod", &other.fact.id))
            .with_caution("the one whose address it really is keeps it; the other gets a new one")
            .mended_by([mend::again(other, "")])
            .into();
    }
    let client =
        grant.identity.kind.as_ref().ok().map(|kind| kind.client_id().to_string()).unwrap_or_default();
    let given = format!("NMI gives it one for AzureIdentity {} (client id {client})", grant.identity.id);
    let last = last_refusal(view);
    Outcome::Holds(match (view.selector, last) {
        (Selector::Principal(id), _) => {
            format!("{given} if that has the object id {id}, which only the token tells")
        }
        (_, Some(refused)) => format!("{given}; its last request was refused: {refused}"),
        (_, None) => given,
    })
}

/// What NMI's log says of the pod's last request, where that was refused.
fn last_refusal(view: &View<'_>) -> Option<String> {
    let agents = view.pod.fact.node.as_ref().map(|node| view.index.agents(node))?;
    let pod = &view.pod.fact;
    let words = agents.iter().filter_map(|runner| runner.words.as_ref()?.known());
    let mut found = words.flat_map(|Words { refusals, unnamed, .. }| {
        refusals
            .get(&pod.id)
            .into_iter()
            .chain(pod.addresses.iter().filter_map(|address| unnamed.get(address)))
    });
    let (code, at) = found.next()?;
    Some(match at {
        Some(at) => format!("{code} at {at:.0}, see podid explain {code}"),
        None => format!("{code}, see podid explain {code}"),
    })
}
