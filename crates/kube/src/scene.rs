//! What lies between pods and their tokens, as far as this user may look?
//!
//! Reads what [`podid_core::chain`] walks over, most of it at the same time, and changes nothing. Whatever cannot be
//! read is unseen, with the reason in words; only a server that does not answer at all, or a pod that does not exist,
//! is an error.

mod definitions;
mod events;
mod lock;
mod logs;
mod pods;
mod policies;
mod rights;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client};
use podid_core::adopt::{Role, Scope};
use podid_core::chain::{Installed, Node, Pod, Run, Runner, Scene, Seen};
use podid_core::ids::{NodeName, ObjectRef};

use crate::call::{CallError, bounded};
use crate::facts;
use crate::survey::{pages, read, workload};

pub use pods::{Family, family};
pub use policies::NAMES as POLICIES;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Which pods are in question.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// All pods of the cluster.
    All,
    /// These.
    These(Vec<ObjectRef>),
}

/// Looks at everything that the chains of the wanted pods need.
pub async fn scene(client: &Client, wanted: &Wanted) -> Result<Scene, CallError> {
    bounded(|| "ask for the API server's version".to_owned(), LIMIT, client.apiserver_version()).await?;
    let scope = wanted_namespaces(wanted).map(Scope::Namespaces);
    let scope = scope.as_ref();
    let kinds = definitions::look(client).await;
    let mut scene = Scene::blank(Timestamp::now());
    scene.definitions = kinds;
    let (pods, runners) = pods::look(client, wanted).await?;
    let (nodes, identities, bindings, exceptions, records, installed, notices) = tokio::join!(
        nodes(client),
        wide(client, scope, "azureidentities", read::identity),
        wide(client, scope, "azureidentitybindings", |object| facts::binding(object).ok()),
        wide(client, scope, "azurepodidentityexceptions", |object| facts::exception(object).ok()),
        wide(client, scope, "azureassignedidentities", |object| facts::assignment(object).ok()),
        installed(client),
        events::look(client, scope),
    );
    scene.nodes =
        seen(nodes.map(|nodes| nodes.into_iter().map(|node| (node.fact.name.clone(), node)).collect()));
    scene.identities = identities;
    scene.bindings = bindings;
    scene.exceptions = exceptions;
    scene.records = records;
    scene.installed = seen(installed);
    scene.notices = notices;
    scene.all_pods = pods.all;
    scene.pods = pods.pods;
    scene.runners = more_runners(client, runners, &scene.installed, pods.all).await;
    let whole = matches!(wanted, Wanted::All);
    let mics = scene
        .runners
        .list()
        .iter()
        .map(|one| &one.workload)
        .chain(scene.installed.list().iter().map(|one| &one.workload));
    let mic: Vec<_> = mics.filter(|one| one.role() == Some(Role::Mic)).cloned().collect();
    let identities: Vec<_> = scene.identities.list().to_vec();
    let namespaces = wanted_namespaces(wanted);
    let (lock, rights, secret_rights, secrets, policies) = tokio::join!(
        lock::look(client, &mic),
        rights::accounts(client, scene.runners.list()),
        rights::secrets(client, scene.runners.list(), &identities),
        secrets::look(client, &identities, namespaces.as_ref()),
        policies::look(client, whole),
    );
    scene.lock = lock;
    scene.rights = rights;
    scene.secret_rights = secret_rights;
    scene.secrets = secrets;
    scene.policies = policies;
    let talkative = spoken_for(&scene, wanted);
    if let Seen::Known(runners) = &mut scene.runners {
        logs::listen(client, runners, &talkative).await;
    }
    Ok(scene)
}

/// The namespaces that somebody without the right to look everywhere is asked about.
fn wanted_namespaces(wanted: &Wanted) -> Option<BTreeSet<Arc<str>>> {
    match wanted {
        Wanted::All => None,
        Wanted::These(pods) => Some(pods.iter().map(|pod| pod.namespace.clone()).collect()),
    }
}

/// Objects of a kind in all namespaces; else, for somebody who may not see all, in those of `scope`.
async fn wide<K, T>(
    client: &Client,
    scope: Option<&Scope>,
    plural: &str,
    read: impl Fn(&K) -> Option<T>,
) -> Seen<Vec<T>>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
{
    let all = pages::within(client, &Scope::All, plural, &read).await;
    match (all, scope) {
        (Err(CallError::Forbidden { .. }), Some(scope)) => {
            seen(pages::within(client, scope, plural, &read).await)
        }
        (all, _) => seen(all),
    }
}

async fn nodes(client: &Client) -> Result<Vec<Node>, CallError> {
    pages::all(Api::<core::Node>::all(client.clone()), "list nodes", node).await
}

fn node(object: &core::Node) -> Option<Node> {
    let spec = object.spec.as_ref();
    let taints = spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let conditions =
        object.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let labels = object.metadata.labels.iter().flatten();
    Some(Node {
        fact: facts::node(object).ok()?,
        labels: labels.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        taints: taints
            .iter()
            .filter(|taint| taint.effect != "PreferNoSchedule")
            .map(|taint| taint.key.as_str().into())
            .collect(),
        cordoned: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        ready: conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True"),
    })
}

async fn installed(client: &Client) -> Result<Vec<Installed>, CallError> {
    let (deployments, daemon_sets) = tokio::join!(
        pages::all(Api::<Deployment>::all(client.clone()), "list deployments", |object| {
            let workload = workload::deployment(object)?;
            Some(Installed { workload, node_selector: BTreeMap::default(), tolerates_all: false })
        }),
        pages::all(Api::<DaemonSet>::all(client.clone()), "list daemonsets", daemon_set),
    );
    Ok(deployments?.into_iter().chain(daemon_sets?).collect())
}

fn daemon_set(object: &DaemonSet) -> Option<Installed> {
    let pod = object.spec.as_ref()?.template.spec.as_ref()?;
    let selector = pod.node_selector.iter().flatten();
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    let any = |one: &core::Toleration| {
        one.operator.as_deref() == Some("Exists") && one.key.is_none() && one.effect.is_none()
    };
    Some(Installed {
        workload: workload::daemon_set(object)?,
        node_selector: selector.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        tolerates_all: tolerations.iter().any(any),
    })
}

/// Pods of MIC and NMI that no label gave away, by the selectors of what keeps them.
async fn more_runners(
    client: &Client,
    runners: Result<Vec<Runner>, CallError>,
    installed: &Seen<Vec<Installed>>,
    all: bool,
) -> Seen<Vec<Runner>> {
    let mut found = match runners {
        Ok(found) => found,
        Err(error) => return unseen(&error),
    };
    for one in installed.list().iter().filter(|_| !all) {
        let known = found.iter().any(|runner| {
            runner.workload.role() == one.workload.role()
                && runner.workload.id.namespace == one.workload.id.namespace
        });
        if !known && let Ok(more) = pods::owned(client, &one.workload).await {
            found.extend(more);
        }
    }
    Seen::Known(found)
}

/// NMIs whose log has something to say: those that are not well, and that of a pod in question.
fn spoken_for(scene: &Scene, wanted: &Wanted) -> BTreeSet<ObjectRef> {
    let nodes: BTreeSet<&NodeName> = match wanted {
        Wanted::All => BTreeSet::new(),
        Wanted::These(pods) => {
            let of = |pod: &&Pod| pods.contains(&pod.fact.id);
            scene.pods.iter().filter(of).filter_map(|pod| pod.fact.node.as_ref()).collect()
        }
    };
    let asked = scene.runners.list().iter().filter(|one| {
        let near = one.node.as_ref().is_some_and(|node| nodes.contains(node));
        one.workload.role() == Some(Role::Nmi)
            && (near || matches!(wanted, Wanted::All) && one.run != Run::Ready)
    });
    asked.map(|one| one.workload.id.clone()).collect()
}

fn seen<T>(read: Result<T, CallError>) -> Seen<T> {
    match read {
        Ok(known) => Seen::Known(known),
        Err(error) => unseen(&error),
    }
}

/// In words for a person who looks.
fn unseen<T>(error: &CallError) -> Seen<T> {
    Seen::Unseen(match error {
        CallError::Forbidden { what, .. } => format!("you may not {what}").into(),
        other => other.to_string().into(),
    })
}
