//! What of podid is not as it should be, whichever pod asks?

use std::collections::BTreeSet;

use super::agent::{self, Agent};
use super::index::Index;
use super::scene::{DefinitionState, Seen};
use super::{Cross, controller, mend, place};
use crate::adopt::{Object, Product, Role, WorkloadKind};
use crate::answer::Mode;
use crate::code::Obstacle;
use crate::ids::NodeName;

/// How one part of podid is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which part.
    pub part: String,
    /// How it is.
    pub state: State,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be; in a few words.
    Fine(String),
    /// Not as it should be.
    Broken(Box<Cross>),
    /// It works, but something should be done.
    Weak(Box<Cross>),
    /// It could not be looked at.
    Unseen(String),
}

/// How MIC, NMI on each node, and what they stand on are. `policies` are the names of the admission policies.
pub fn look(index: &Index<'_>, policies: &[&str]) -> Vec<Health> {
    let mut found = vec![Health { part: "definitions".to_owned(), state: definitions(index) }];
    if index.agent_settings(None).mode == Mode::Standard {
        found.push(Health { part: "MIC".to_owned(), state: controller::health(index) });
    }
    found.extend(nodes(index));
    found.push(Health { part: "policies".to_owned(), state: guards(index, policies) });
    found.extend(leftovers(index));
    found.extend(orphans(index));
    found
}

fn definitions(index: &Index<'_>) -> State {
    let all = match &index.scene.definitions {
        Seen::Known(all) => all,
        Seen::Unseen(why) => return State::Unseen(why.to_string()),
    };
    let with = |state| {
        let found = all.iter().filter(|one| one.state == state);
        found.map(|one| &*one.name).collect::<Vec<_>>()
    };
    let apply = ["podid crds apply".to_owned()];
    match (with(DefinitionState::Missing), with(DefinitionState::Older)) {
        (missing, _) if !missing.is_empty() => {
            let about = format!("the cluster does not define {}", missing.join(", "));
            State::Broken(Box::new(Cross::new(Obstacle::CrdsMissing, about).mended_by(apply)))
        }
        (_, older) if !older.is_empty() => {
            let about = format!("not the definitions of this podid: {}", older.join(", "));
            State::Weak(Box::new(Cross::new(Obstacle::CrdsOutdated, about).mended_by(apply)))
        }
        _ => State::Fine(format!("{} custom resources, as this podid has them", all.len())),
    }
}

fn nodes(index: &Index<'_>) -> Vec<Health> {
    let nodes = match &index.scene.nodes {
        Seen::Known(nodes) => nodes,
        Seen::Unseen(why) => {
            return vec![Health { part: "nodes".to_owned(), state: State::Unseen(why.to_string()) }];
        }
    };
    let linux =
        nodes.values().filter(|node| node.labels.get("kubernetes.io/os").is_none_or(|os| &**os == "linux"));
    let each = linux.map(|node| Health {
        part: format!("NMI on {}", node.fact.name),
        state: match agent::of_node(index, &node.fact.name) {
            Agent::Ready(_) => {
                still_tainted(index, &node.fact.name).unwrap_or_else(|| State::Fine("ready".to_owned()))
            }
            Agent::Broken(cross) => State::Broken(Box::new(cross)),
            Agent::Unseen(why) => State::Unseen(why),
        },
    });
    each.collect()
}

/// A node on which NMI is ready and pods are still kept away for its sake.
fn still_tainted(index: &Index<'_>, name: &NodeName) -> Option<State> {
    let node = index.scene.nodes.known()?.get(name)?;
    let keys = index.workloads(Role::Nmi).filter_map(|one| one.flag("startup-taint"));
    let key =
        keys.filter(|key| !key.is_empty()).find(|key| node.taints.iter().any(|taint| &**taint == *key))?;
    let about = format!("NMI is ready on node {name}, and the taint {key} is still there");
    let command = format!("kubectl taint node {} {}-", mend::word(name.as_str()), mend::word(key));
    let cross =
        Cross::new(Obstacle::StartupTaint, about).in_object(place::node_object(name)).mended_by([command]);
    Some(State::Broken(Box::new(cross)))
}

fn guards(index: &Index<'_>, wanted: &[&str]) -> State {
    let there = match &index.scene.policies {
        Seen::Known(there) => there,
        Seen::Unseen(why) => return State::Unseen(why.to_string()),
    };
    // The chart puts the release's name in front.
    let has = |name: &str| there.iter().any(|one| one == name || one.ends_with(&format!("-{name}")));
    let missing: Vec<_> = wanted.iter().filter(|name| !has(name)).copied().collect();
    if missing.is_empty() {
        return State::Fine("in place".to_owned());
    }
    let about = format!(
        "anybody who may write the objects can write what podid trusts: {} missing",
        missing.join(", ")
    );
    let mic = index.workloads(Role::Mic).find(|one| one.product() == Product::Podid);
    let namespace = mic.map(|one| &*one.id.namespace).filter(|name| *name != "default");
    let namespace = namespace.map(|name| format!(" -n {}", mend::word(name))).unwrap_or_default();
    let command = format!("podid manifests policies{namespace} | kubectl apply -f -");
    State::Weak(Box::new(Cross::new(Obstacle::PoliciesMissing, about).mended_by([command])))
}

/// What of the original is still there.
fn leftovers(index: &Index<'_>) -> Vec<Health> {
    let installed = index.scene.installed.list().iter().map(|one| &one.workload);
    let original = installed.filter(|one| one.product() == Product::Original);
    let each = original.map(|one| {
        let kind = match one.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::DaemonSet => "daemonset",
            WorkloadKind::Pod => "pod",
        };
        let (namespace, name) = (mend::word(&one.id.namespace), mend::word(&one.id.name));
        let about = format!("{} {} is aad-pod-identity's ({})", one.kind.as_str(), one.id, one.image);
        let cross = Cross::new(Obstacle::OriginalPresent, about)
            .in_object(Object::new(one.kind.as_str(), &one.id))
            .with_caution("docs/how-to/adopt.md hands over step by step, with a way back");
        // What still has pods may serve others, so nothing here takes it away.
        let command = match one.wanted {
            0 => format!("kubectl delete {kind} {name} -n {namespace}"),
            _ => agent::ADOPT.to_owned(),
        };
        let cross = cross.mended_by([command]);
        Health { part: "aad-pod-identity".to_owned(), state: State::Weak(Box::new(cross)) }
    });
    each.collect()
}

/// Records of pods that are gone.
fn orphans(index: &Index<'_>) -> Vec<Health> {
    if !index.scene.all_pods {
        return Vec::new();
    }
    let pods: BTreeSet<_> = index.scene.pods.iter().map(|pod| &pod.fact.id).collect();
    let gone =
        index.scene.records.list().iter().filter(|record| !pods.contains(&record.pod) && !record.terminating);
    // A pod that came after the pods were listed is no reason to delete its record.
    let gone = gone.filter(|record| record.created.is_none_or(|at| at < index.scene.now));
    let each = gone.map(|record| {
        let (namespace, name) = (mend::word(&record.id.namespace), mend::word(&record.id.name));
        let about =
            format!("AzureAssignedIdentity {} is for pod {}, which does not exist", record.id, record.pod);
        let cross = Cross::new(Obstacle::RecordOrphaned, about)
            .in_object(Object::new("AzureAssignedIdentity", &record.id))
            .with_caution(
                "MIC does this by itself while it leads, and takes the identity off the machine as well",
            )
            .mended_by([format!("kubectl delete azureassignedidentity {name} -n {namespace}")]);
        Health { part: format!("record {}", record.id), state: State::Weak(Box::new(cross)) }
    });
    each.collect()
}
