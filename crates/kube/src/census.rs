//! Who runs in a cluster with which powers, and who may change what?
//!
//! What an audit asks beside [`survey`](mod@crate::survey): pods with their capabilities, nodes, who may write
//! the objects that decide about identities, and whether the definitions are ours. Changes nothing. What
//! the caller may not read is left out and named; a server that does not answer ends it.

mod access;
mod pod;

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client};
use podid_core::adopt::{Cluster, Scope};
use podid_core::facts;
use podid_core::ids::{NodeName, ObjectRef};

use crate::call::CallError;
use crate::crd::{self, REVISION};
use crate::definitions::{CustomResourceDefinition, revision};
use crate::survey::{self, pages};

pub use access::{Grant, Written};

/// A cluster, and what of it could not be read. `None` is a kind that could not.
#[derive(Debug, Default)]
pub struct Census {
    /// What adoption looks at, too: identities, bindings, exceptions, records, controllers and agents.
    pub cluster: Cluster,
    /// Pods with their powers.
    pub pods: Option<Vec<Pod>>,
    /// Nodes.
    pub nodes: Option<Vec<Node>>,
    /// Who may write the objects that decide, a line for each role that is bound to somebody.
    pub grants: Option<Vec<Grant>>,
    /// Our definitions.
    pub definitions: Option<Vec<Definition>>,
    /// Every DaemonSet: network plug-ins are among them.
    pub daemon_sets: Option<Vec<ObjectRef>>,
    /// Admission policies that refuse somewhere.
    pub enforced: BTreeSet<Arc<str>>,
    /// What could not be read, a line each.
    pub unseen: Vec<String>,
}

/// A pod and its powers.
#[derive(Clone, Debug)]
pub struct Pod {
    /// As decisions see it.
    pub fact: facts::Pod,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// Containers that may write raw packets or configure their link: they keep `NET_RAW`, add it or
    /// `NET_ADMIN`, or are privileged.
    pub raw: Vec<Arc<str>>,
    /// Whether it is set up for workload identity.
    pub federated: bool,
    /// Whether it runs Windows.
    pub windows: bool,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Whether pods of Linux can run on it: no Windows, and no node that is played.
    pub real_linux: bool,
    /// Whether it says that it is ready.
    pub ready: bool,
}

/// One of our definitions as it is in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: Arc<str>,
    /// Which of ours it is.
    pub state: DefinitionState,
}

/// Which of ours a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionState {
    /// It is not there.
    Missing,
    /// Nobody knows: it is the original's, or somebody's.
    Foreign,
    /// That of an earlier podid.
    Older,
    /// That of this podid, or of a later one.
    Current,
}

/// Looks at everything.
pub async fn census(client: &Client) -> Result<Census, CallError> {
    let survey = survey::survey(client, Scope::All).await?;
    let mut census = Census { cluster: survey.cluster, unseen: survey.unseen, ..Census::default() };
    let (pods, nodes, grants, definitions, daemon_sets, enforced) = tokio::join!(
        pages::all(Api::<core::Pod>::all(client.clone()), "list pods", pod::read),
        pages::all(Api::<core::Node>::all(client.clone()), "list nodes", node),
        access::grants(client),
        definitions(client),
        pages::all(Api::<DaemonSet>::all(client.clone()), "list daemonsets", |object: &DaemonSet| {
            Some(ObjectRef::new(object.metadata.namespace.as_deref()?, object.metadata.name.as_deref()?))
        }),
        enforced(client),
    );
    census.pods = census.keep(pods);
    census.nodes = census.keep(nodes);
    census.grants = census.keep(grants);
    census.definitions = census.keep(definitions);
    census.daemon_sets = census.keep(daemon_sets);
    census.enforced = census.keep(enforced).unwrap_or_default();
    // Pods and DaemonSets are asked for twice.
    census.unseen.sort();
    census.unseen.dedup();
    Ok(census)
}

fn node(object: &core::Node) -> Option<Node> {
    let labels = object.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let conditions = object.status.as_ref().and_then(|status| status.conditions.as_deref());
    Some(Node {
        name: NodeName::new(object.metadata.name.as_deref()?),
        real_linux: label("kubernetes.io/os").is_none_or(|os| os == "linux")
            && label("type") != Some("virtual-kubelet"),
        ready: conditions.unwrap_or_default().iter().any(|one| one.type_ == "Ready" && one.status == "True"),
    })
}

async fn definitions(client: &Client) -> Result<Vec<Definition>, CallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let there = pages::all(api, "list definitions", |object: &CustomResourceDefinition| {
        let name = object.metadata.name.clone()?;
        let state = match revision(object) {
            None => DefinitionState::Foreign,
            Some(found) if found < REVISION => DefinitionState::Older,
            Some(_) => DefinitionState::Current,
        };
        Some(Definition { name: name.into(), state })
    });
    let there = there.await?;
    let ours = crd::definitions().into_iter().filter_map(|crd| crd.metadata.name);
    Ok(ours
        .map(|name| {
            let found = there.iter().find(|one| *one.name == *name).map(|one| one.state);
            Definition { name: name.into(), state: found.unwrap_or(DefinitionState::Missing) }
        })
        .collect())
}

async fn enforced(client: &Client) -> Result<BTreeSet<Arc<str>>, CallError> {
    let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let read = |object: &ValidatingAdmissionPolicyBinding| {
        let spec = object.spec.as_ref()?;
        let denies = spec.validation_actions.iter().flatten().any(|action| action == "Deny");
        denies.then(|| spec.policy_name.as_deref().unwrap_or_default().into())
    };
    Ok(pages::all(api, "list policy bindings", read).await?.into_iter().collect())
}

// === impl Census ===

impl Census {
    fn keep<T>(&mut self, read: Result<T, CallError>) -> Option<T> {
        read.map_err(|error| self.unseen.push(survey::explain(&error))).ok()
    }
}
