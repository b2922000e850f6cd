//! Which object is this target, and what stands beside it?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use podid_core::adopt::{Identity, Product, Role, Secret, Workload};
use podid_core::facts::{Binding, Exception};
use podid_core::ids::ObjectRef;
use podid_kube::census::{Census, Definition, Grant, Node, Pod};
use serde_json::Value;

use crate::target::Target;

/// Types of targets in a cluster.
pub mod kind {
    /// An `AzureIdentity`.
    pub const IDENTITY: &str = "aadpodidentity.k8s.io/AzureIdentity";
    /// An `AzureIdentityBinding`.
    pub const BINDING: &str = "aadpodidentity.k8s.io/AzureIdentityBinding";
    /// An `AzurePodIdentityException`.
    pub const EXCEPTION: &str = "aadpodidentity.k8s.io/AzurePodIdentityException";
    /// A pod.
    pub const POD: &str = "Pod";
    /// A node.
    pub const NODE: &str = "Node";
    /// A controller or agent: its Deployment or DaemonSet.
    pub const WORKLOAD: &str = "apps/Workload";
    /// One of our definitions.
    pub const DEFINITION: &str = "apiextensions.k8s.io/CustomResourceDefinition";
    /// Somebody who has rights by RBAC.
    pub const SUBJECT: &str = "rbac.authorization.k8s.io/Subject";
}

/// DaemonSets of network plug-ins that give each pod a routed link of its own.
const ROUTED: [&str; 5] = ["azure-cns", "cilium", "calico-node", "aws-node", "antrea-agent"];

/// A live cluster. Objects are under `namespace/name`; what could not be read is `None`.
#[derive(Debug, Default)]
pub struct Picture {
    pub(crate) identities: Option<BTreeMap<String, Identity>>,
    pub(crate) bindings: Option<BTreeMap<String, Binding>>,
    pub(crate) exceptions: Option<BTreeMap<String, Exception>>,
    pub(crate) pods: Option<BTreeMap<String, Pod>>,
    pub(crate) nodes: Option<BTreeMap<String, Node>>,
    pub(crate) workloads: Option<BTreeMap<String, Workload>>,
    pub(crate) definitions: Option<BTreeMap<String, Definition>>,
    pub(crate) grants: Option<BTreeMap<String, Vec<Grant>>>,
    pub(crate) secrets: BTreeMap<ObjectRef, Option<Secret>>,
    /// Admission policies that refuse.
    pub(crate) enforced: BTreeSet<Arc<str>>,
    /// Whether each pod has a routed link of its own; not known where DaemonSets could not be read.
    pub(crate) routed: bool,
    pub(crate) unseen: Vec<String>,
}

fn by_name<T>(list: Option<Vec<T>>, name: impl Fn(&T) -> String) -> Option<BTreeMap<String, T>> {
    Some(list?.into_iter().map(|one| (name(&one), one)).collect())
}

// === impl Picture ===

impl From<Census> for Picture {
    fn from(census: Census) -> Self {
        let cluster = census.cluster;
        let plugin = |id: &ObjectRef| ROUTED.iter().any(|name| *id.name == **name);
        let grants = census.grants.map(|grants| {
            let mut by_subject: BTreeMap<String, Vec<Grant>> = BTreeMap::new();
            for grant in grants {
                by_subject.entry(grant.subject.to_string()).or_default().push(grant);
            }
            by_subject
        });
        Self {
            identities: by_name(cluster.identities, |one| one.fact.id.to_string()),
            bindings: by_name(cluster.bindings, |one| one.id.to_string()),
            exceptions: by_name(cluster.exceptions, |one| one.id.to_string()),
            pods: by_name(census.pods, |one| one.fact.id.to_string()),
            nodes: by_name(census.nodes, |one| one.name.to_string()),
            workloads: by_name(cluster.workloads, |one| format!("{} {}", one.kind.as_str(), one.id)),
            definitions: by_name(census.definitions, |one| one.name.to_string()),
            grants,
            secrets: cluster.secrets,
            enforced: census.enforced,
            routed: census.daemon_sets.iter().flatten().any(plugin),
            unseen: census.unseen,
        }
    }
}

impl Picture {
    /// Everything that rules are asked about.
    pub fn targets(&self) -> Vec<Target> {
        fn of<T>(kind: &'static str, all: Option<&BTreeMap<String, T>>, targets: &mut Vec<Target>) {
            let names = all.into_iter().flat_map(BTreeMap::keys);
            targets.extend(names.map(|name| Target::new(kind, name, Value::Null)));
        }
        let mut targets = Vec::new();
        of(kind::IDENTITY, self.identities.as_ref(), &mut targets);
        of(kind::BINDING, self.bindings.as_ref(), &mut targets);
        of(kind::EXCEPTION, self.exceptions.as_ref(), &mut targets);
        of(kind::POD, self.pods.as_ref(), &mut targets);
        of(kind::NODE, self.nodes.as_ref(), &mut targets);
        of(kind::WORKLOAD, self.workloads.as_ref(), &mut targets);
        of(kind::DEFINITION, self.definitions.as_ref(), &mut targets);
        of(kind::SUBJECT, self.grants.as_ref(), &mut targets);
        targets
    }

    pub(crate) fn identity(&self, target: &Target) -> Option<&Identity> {
        self.identities.as_ref()?.get(target.name())
    }

    pub(crate) fn binding(&self, target: &Target) -> Option<&Binding> {
        self.bindings.as_ref()?.get(target.name())
    }

    pub(crate) fn exception(&self, target: &Target) -> Option<&Exception> {
        self.exceptions.as_ref()?.get(target.name())
    }

    pub(crate) fn pod(&self, target: &Target) -> Option<&Pod> {
        self.pods.as_ref()?.get(target.name())
    }

    pub(crate) fn all_bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn all_exceptions(&self) -> impl Iterator<Item = &Exception> {
        self.exceptions.iter().flat_map(BTreeMap::values)
    }

    /// Pods that can still run.
    pub(crate) fn live_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().flat_map(BTreeMap::values).filter(|pod| pod.fact.is_live())
    }

    /// Agents on the nodes, of podid and of the original.
    pub(crate) fn agents(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().flat_map(BTreeMap::values).filter(|one| one.role() == Some(Role::Nmi))
    }

    /// Whether podid itself is installed.
    pub(crate) fn has_podid(&self) -> bool {
        self.workloads.iter().flat_map(BTreeMap::values).any(|one| one.product() == Product::Podid)
    }

    /// Whether a binding gives its identity to pods of other namespaces, too: somebody decides so.
    pub(crate) fn is_cluster_wide(&self) -> bool {
        self.workloads.iter().flat_map(BTreeMap::values).any(|one| !one.is_namespaced())
    }

    /// Whether `binding` gives its identity to `pod`.
    pub(crate) fn reaches(&self, binding: &Binding, pod: &Pod) -> bool {
        let home = binding.id.namespace == pod.fact.id.namespace;
        let identity = self.identities.iter().find_map(|all| all.get(&binding.identity_id().to_string()));
        let alone = !self.is_cluster_wide() || identity.is_some_and(|identity| identity.fact.namespaced);
        pod.fact.selector() == Some(&*binding.selector) && (home || !alone)
    }

    /// Whether a pod belongs to what runs the cluster, or to podid.
    pub(crate) fn is_system(&self, pod: &Pod) -> bool {
        let id = &pod.fact.id;
        *id.namespace == *"kube-system"
            || self
                .workloads
                .iter()
                .flat_map(BTreeMap::values)
                .any(|one| one.owns(&id.namespace, &pod.fact.labels))
    }
}
