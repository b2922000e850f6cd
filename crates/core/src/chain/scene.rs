//! What is known of a cluster when somebody asks why a pod gets no token?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::adopt::{Identity, Workload};
use crate::code::Code;
use crate::facts::{self, Assignment, Binding, Exception};
use crate::ids::{ClientId, ComputeId, IdentityResourceId, NodeName, ObjectRef};

/// Something that may be out of sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was looked at.
    Known(T),
    /// It could not be looked at; why, in words that end a sentence.
    Unseen(Arc<str>),
}

/// A cluster, as far as it could be looked at.
#[derive(Clone, Debug)]
pub struct Scene {
    /// When it was looked at.
    pub now: Timestamp,
    /// The definitions of the custom resources.
    pub definitions: Seen<Vec<Definition>>,
    /// The pods that matter: those in question, and all on their nodes.
    pub pods: Vec<Pod>,
    /// Whether these are all pods of the cluster.
    pub all_pods: bool,
    /// Nodes.
    pub nodes: Seen<BTreeMap<NodeName, Node>>,
    /// Identities.
    pub identities: Seen<Vec<Identity>>,
    /// Bindings.
    pub bindings: Seen<Vec<Binding>>,
    /// Exceptions.
    pub exceptions: Seen<Vec<Exception>>,
    /// Assignments.
    pub records: Seen<Vec<Assignment>>,
    /// Deployments and DaemonSets of MIC and NMI, of podid and of the original.
    pub installed: Seen<Vec<Installed>>,
    /// Pods of MIC and NMI.
    pub runners: Seen<Vec<Runner>>,
    /// The controllers' lock.
    pub lock: Seen<Lock>,
    /// Rights that service accounts of MIC and NMI lack, by namespace and name.
    pub rights: BTreeMap<ObjectRef, Rights>,
    /// Rights on Secrets that service accounts of NMI lack, by account and namespace of the Secrets.
    pub secret_rights: BTreeMap<(ObjectRef, Arc<str>), Rights>,
    /// Why an `adEndpoint` is not asked.
    pub refused_authorities: BTreeMap<Arc<str>, String>,
    /// What MIC told owners of bindings.
    pub notices: Seen<Vec<Notice>>,
    /// Secrets that service principals name; `None` for one that does not exist.
    pub secrets: BTreeMap<ObjectRef, Seen<Option<Secret>>>,
    /// VMs and scale sets in Azure; `None` for one that does not exist.
    pub machines: BTreeMap<ComputeId, Seen<Option<Machine>>>,
    /// Identities in Azure; `None` for one that does not exist.
    pub managed: BTreeMap<IdentityResourceId, Seen<Option<AzureIdentity>>>,
    /// Why Azure was not asked about what is in neither map.
    pub azure_unseen: Arc<str>,
    /// Whether the admission policies are in the cluster, by name.
    pub policies: Seen<BTreeSet<String>>,
}

/// The definition of a custom resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its whole name.
    pub name: Arc<str>,
    /// How it compares with ours.
    pub state: DefinitionState,
}

/// How a definition in the cluster compares with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionState {
    /// It is not there.
    Missing,
    /// It is there, written by an older podid or by somebody else.
    Older,
    /// It is ours, or a newer one.
    Current,
}

/// A pod, and what only a diagnosis asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// As decisions see it.
    pub fact: facts::Pod,
    /// What keeps it: a Deployment, a DaemonSet, …; none for a pod of its own.
    pub owner: Option<Owner>,
    /// Why it has no node, in the scheduler's words.
    pub unschedulable: Option<Arc<str>>,
}

/// What keeps a pod alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its kind, as kubectl takes it.
    pub kind: Arc<str>,
    /// Its name, in the pod's namespace.
    pub name: Arc<str>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// As decisions see it.
    pub fact: facts::Node,
    /// Its labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Keys of its taints.
    pub taints: BTreeSet<Arc<str>>,
    /// Whether nothing new is to come there.
    pub cordoned: bool,
    /// Whether its kubelet reports that it is ready.
    pub ready: bool,
}

/// A Deployment or DaemonSet of MIC or NMI.
#[derive(Clone, Debug)]
pub struct Installed {
    /// What it is and how its pods are told to work.
    pub workload: Workload,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether it goes on nodes with any taint.
    pub tolerates_all: bool,
}

/// A pod that runs MIC or NMI.
#[derive(Clone, Debug)]
pub struct Runner {
    /// What it is and how it is told to work.
    pub workload: Workload,
    /// Its node.
    pub node: Option<NodeName>,
    /// What keeps it, if anything does.
    pub owner: Option<Owner>,
    /// How it is.
    pub run: Run,
    /// What its log says; none if it was not asked for.
    pub words: Option<Seen<Words>>,
}

/// How a pod of ours is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Ready.
    Ready,
    /// It runs and is not ready.
    NotReady,
    /// It does not run; what the kubelet or the scheduler says.
    Down(Arc<str>),
}

/// What the log of an NMI says that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its last error.
    pub error: Option<Arc<str>>,
    /// Whether that error was the redirect's self-test.
    pub redirect: bool,
    /// Whether that error was kubenet.
    pub kubenet: bool,
    /// The refusal of each pod's last request: code and time.
    pub refusals: BTreeMap<ObjectRef, (Code, Option<Timestamp>)>,
    /// The same by address, for requests that were refused before anybody looked whose they are.
    pub unnamed: BTreeMap<IpAddr, (Code, Option<Timestamp>)>,
}

/// The controllers' lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Namespace and name.
    pub id: ObjectRef,
    /// podid's, a Lease.
    pub lease: Option<Entry>,
    /// The original's, an annotation of an Endpoints object.
    pub legacy: Option<Entry>,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its holder; empty if it was given up.
    pub holder: Arc<str>,
    /// When it was renewed last.
    pub renewed: Option<Timestamp>,
    /// How long that counts.
    pub duration: Duration,
}

/// Which rights a service account lacks.
pub type Rights = Seen<Vec<String>>;

/// An event of MIC on a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The binding.
    pub binding: ObjectRef,
    /// What it says.
    pub message: Arc<str>,
    /// Whether it is a warning.
    pub warning: bool,
    /// When it happened last.
    pub at: Option<Timestamp>,
}

/// What is known of a Secret: never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Its keys.
    pub keys: BTreeSet<Arc<str>>,
}

/// A VM or scale set in Azure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// The user-assigned identities on it.
    pub identities: BTreeSet<IdentityResourceId>,
}

/// A managed identity in Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureIdentity {
    /// Its client id.
    pub client_id: Option<ClientId>,
}

// === impl Seen ===

impl<T> Seen<T> {
    /// What is known, if it is.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unseen(_) => None,
        }
    }

    /// Why it is not known, if it is not.
    pub fn unseen(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unseen(why) => Some(why),
        }
    }
}

impl<T> Seen<Vec<T>> {
    /// What is known of a list.
    pub fn list(&self) -> &[T] {
        self.known().map_or(&[], Vec::as_slice)
    }
}

// === impl Scene ===

impl Scene {
    /// A cluster in which nothing was looked at yet.
    pub fn blank(now: Timestamp) -> Self {
        let why: Arc<str> = "it was not asked for".into();
        Self {
            now,
            definitions: Seen::Unseen(why.clone()),
            pods: Vec::new(),
            all_pods: false,
            nodes: Seen::Unseen(why.clone()),
            identities: Seen::Unseen(why.clone()),
            bindings: Seen::Unseen(why.clone()),
            exceptions: Seen::Unseen(why.clone()),
            records: Seen::Unseen(why.clone()),
            installed: Seen::Unseen(why.clone()),
            runners: Seen::Unseen(why.clone()),
            lock: Seen::Unseen(why.clone()),
            rights: BTreeMap::new(),
            secret_rights: BTreeMap::new(),
            refused_authorities: BTreeMap::new(),
            notices: Seen::Unseen(why.clone()),
            secrets: BTreeMap::new(),
            machines: BTreeMap::new(),
            managed: BTreeMap::new(),
            azure_unseen: why.clone(),
            policies: Seen::Unseen(why),
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Whether somebody holds it at `now`; clocks may differ by `slack`.
    pub fn is_held(&self, now: Timestamp, slack: Duration) -> bool {
        let end = self.renewed.and_then(|renewed| renewed.checked_add(self.duration + slack).ok());
        !self.holder.is_empty() && end.is_some_and(|end| now < end)
    }
}

// === impl Runner ===

impl Runner {
    /// Namespace and name of its service account.
    pub fn account(&self) -> ObjectRef {
        ObjectRef::new(self.workload.id.namespace.clone(), self.workload.service_account.clone())
    }
}
