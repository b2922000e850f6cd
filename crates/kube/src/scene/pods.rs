//! Which pods are in question, which share their nodes, and which run MIC and NMI?

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use podid_core::adopt::Workload;
use podid_core::chain::{Owner, Pod, Run, Runner, Seen};
use podid_core::ids::{NodeName, ObjectRef};

use super::{LIMIT, Wanted, logs};
use crate::call::{CallError, bounded};
use crate::facts;
use crate::survey::{pages, workload};

/// Label selectors of MIC and NMI, of podid and of the original, by manifests and by charts.
const COMPONENTS: [&str; 2] = ["app.kubernetes.io/component in (mic, nmi)", "component in (mic, nmi)"];

/// What keeps several pods, as kubectl names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

/// Pods in question.
pub(super) struct Pods {
    pub(super) pods: Vec<Pod>,
    /// Whether these are all.
    pub(super) all: bool,
}

/// The pods of what keeps them, the youngest first.
pub async fn family(client: &Client, family: Family, id: &ObjectRef) -> Result<Vec<ObjectRef>, CallError> {
    let what = || format!("read {family:?} {id}");
    let selector = match family {
        Family::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client.clone(), &id.namespace);
            bounded(what, LIMIT, api.get(&id.name)).await?.spec.map(|spec| spec.selector)
        }
        Family::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(client.clone(), &id.namespace);
            bounded(what, LIMIT, api.get(&id.name)).await?.spec.map(|spec| spec.selector)
        }
        Family::DaemonSet => {
            let api: Api<DaemonSet> = Api::namespaced(client.clone(), &id.namespace);
            bounded(what, LIMIT, api.get(&id.name)).await?.spec.map(|spec| spec.selector)
        }
    };
    let labels = words(&selector.unwrap_or_default());
    let api: Api<core::Pod> = Api::namespaced(client.clone(), &id.namespace);
    let choice = ListParams::default().labels(&labels);
    let read = |object: &core::Pod| {
        let age = object.creation_timestamp().map(|time| time.0);
        let fact = facts::pod(object).ok()?;
        Some((!fact.is_live(), fact.terminating, std::cmp::Reverse(age), fact.id))
    };
    let mut found = pages::chosen(api, &choice, "list pods", read).await?;
    found.sort();
    Ok(found.into_iter().map(|(.., id)| id).collect())
}

fn words(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    labels.collect::<Vec<_>>().join(",")
}

/// Reads the pods in question; the second are those of MIC and NMI.
pub(super) async fn look(
    client: &Client,
    wanted: &Wanted,
) -> Result<(Pods, Result<Vec<Runner>, CallError>), CallError> {
    let api: Api<core::Pod> = Api::all(client.clone());
    let Wanted::These(ids) = wanted else {
        let both = pages::all(api, "list pods", |object| Some((pod(object)?, runner(object)))).await?;
        let (pods, runners): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        let runners = runners.into_iter().flatten().collect();
        return Ok((Pods { pods, all: true }, Ok(runners)));
    };
    let mut pods = Vec::new();
    for id in ids {
        let own: Api<core::Pod> = Api::namespaced(client.clone(), &id.namespace);
        let object = bounded(|| format!("read pod {id}"), LIMIT, own.get(&id.name)).await?;
        pods.extend(pod(&object));
    }
    let nodes: BTreeSet<_> = pods.iter().filter_map(|pod| pod.fact.node.clone()).collect();
    let mut runners = Vec::new();
    let mut refused = None;
    for node in nodes {
        let choice = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let read = |object: &core::Pod| Some((pod(object)?, runner(object)));
        match pages::chosen(api.clone(), &choice, "list pods", read).await {
            Ok(beside) => {
                for (pod, runner) in beside {
                    runners.extend(runner);
                    if !pods.iter().any(|known| known.fact.uid == pod.fact.uid) {
                        pods.push(pod);
                    }
                }
            }
            Err(error) => refused = Some(error),
        }
    }
    for labels in COMPONENTS {
        match pages::chosen(api.clone(), &ListParams::default().labels(labels), "list pods", runner).await {
            Ok(more) => add(&mut runners, more),
            Err(error) => refused = Some(error),
        }
    }
    let runners = match refused {
        Some(error) if runners.is_empty() => Err(error),
        _ => Ok(runners),
    };
    Ok((Pods { pods, all: false }, runners))
}

/// Pods that a Deployment or DaemonSet keeps.
pub(super) async fn owned(client: &Client, workload: &Workload) -> Result<Vec<Runner>, CallError> {
    let labels: Vec<_> = workload.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let api: Api<core::Pod> = Api::namespaced(client.clone(), &workload.id.namespace);
    pages::chosen(api, &ListParams::default().labels(&labels.join(",")), "list pods", runner).await
}

fn add(runners: &mut Vec<Runner>, more: Vec<Runner>) {
    for runner in more {
        if !runners.iter().any(|known| known.workload.id == runner.workload.id) {
            runners.push(runner);
        }
    }
}

fn pod(object: &core::Pod) -> Option<Pod> {
    let conditions =
        object.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let scheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    Some(Pod {
        fact: facts::pod(object).ok()?,
        owner: owner(object),
        unschedulable: scheduled.and_then(|one| one.message.as_deref()).map(Into::into),
    })
}

/// What a person changes to change the pod: not the ReplicaSet, but the Deployment that made it.
fn owner(object: &core::Pod) -> Option<Owner> {
    let is_controller = |owner: &&OwnerReference| owner.controller == Some(true);
    let found = object.owner_references().iter().find(is_controller)?;
    let hash = object.labels().get("pod-template-hash");
    let deployment = hash.and_then(|hash| found.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    Some(match deployment {
        Some(name) if found.kind == "ReplicaSet" => Owner { kind: "deployment".into(), name: name.into() },
        _ => Owner { kind: found.kind.to_ascii_lowercase().into(), name: found.name.as_str().into() },
    })
}

/// A pod of MIC or NMI that is not over.
fn runner(object: &core::Pod) -> Option<Runner> {
    let workload = workload::pod(object)?;
    let fact = facts::pod(object).ok()?;
    let status = object.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
    let state = containers.first().and_then(|container| container.state.as_ref());
    let last = containers.first().and_then(|container| container.last_state.as_ref());
    let ended =
        state.and_then(|state| state.terminated.as_ref()).or(last.and_then(|last| last.terminated.as_ref()));
    let message =
        ended.and_then(|ended| ended.message.as_deref()).filter(|message| !message.trim().is_empty());
    let runs = state.is_some_and(|state| state.running.is_some());
    let run = if ready && !fact.terminating {
        Run::Ready
    } else if runs {
        Run::NotReady
    } else {
        Run::Down(down(object, state).into())
    };
    fact.is_live().then(|| Runner {
        node: fact.node.as_ref().map(|node| NodeName::new(node.as_str())),
        owner: owner(object),
        run,
        words: message.map(|message| Seen::Known(logs::read(message))),
        workload,
    })
}

/// Why it does not run.
fn down(object: &core::Pod, state: Option<&core::ContainerState>) -> String {
    let waiting = state.and_then(|state| state.waiting.as_ref());
    let ended = state.and_then(|state| state.terminated.as_ref());
    let said = |reason: Option<&str>, message: Option<&str>| match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "it has not started".to_owned(),
    };
    if let Some(waiting) = waiting {
        return said(waiting.reason.as_deref(), waiting.message.as_deref());
    }
    if let Some(ended) = ended {
        return said(ended.reason.as_deref(), None);
    }
    let unscheduled = pod(object).and_then(|pod| pod.unschedulable);
    unscheduled.map_or_else(|| "it has not started".to_owned(), |why: Arc<str>| why.to_string())
}
