//! Which controllers and agents are in the cluster, whose are they, and how are they told to work?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments;
use crate::ids::ObjectRef;
use crate::select::Matching;

/// A Deployment or DaemonSet that may be a controller or an agent.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What kind of object it is.
    pub kind: WorkloadKind,
    /// Namespace and name.
    pub id: ObjectRef,
    /// Its labels.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Labels by which it knows its pods.
    pub selector: BTreeMap<Arc<str>, Arc<str>>,
    /// Labels of its pods.
    pub pod_labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Image of its first container.
    pub image: Arc<str>,
    /// Command and arguments of its first container.
    pub arguments: Vec<Arc<str>>,
    /// How many of these are its command.
    pub command: usize,
    /// Variables of its first container that have a value of their own.
    pub environment: BTreeMap<Arc<str>, Arc<str>>,
    /// The service account of its pods.
    pub service_account: Arc<str>,
    /// How many pods it should have.
    pub wanted: i32,
    /// Whether kubectl or Helm left a sign that a person installed it.
    pub installed_by_hand: bool,
}

/// What kind of object a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A DaemonSet.
    DaemonSet,
    /// A pod, kept by one of the others or by nobody.
    Pod,
}

/// What a workload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The controller.
    Mic,
    /// The agent on each node.
    Nmi,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// aad-pod-identity.
    Original,
    /// podid.
    Podid,
}

/// What of the original is in the cluster.
pub(super) struct Original<'a> {
    pub(super) controllers: Vec<&'a Workload>,
    pub(super) agents: Vec<&'a Workload>,
}

/// Labels that name the component, in the original's chart and in its plain manifests.
const COMPONENT_LABELS: [&str; 2] = ["app.kubernetes.io/component", "component"];

// === impl Workload ===

impl Workload {
    /// What it does, if it is one of ours or the original's.
    ///
    /// A mirror may have renamed the image, and people rename objects; so the image's last name, the
    /// command and the component label each are enough. A DaemonSet is never the controller.
    pub fn role(&self) -> Option<Role> {
        let labelled = COMPONENT_LABELS.iter().filter_map(|key| self.labels.get(*key)).map(AsRef::as_ref);
        let names: Vec<&str> = [self.image_name(), self.command()].into_iter().chain(labelled).collect();
        let roles: &[Role] = match self.kind {
            WorkloadKind::Deployment => &[Role::Mic],
            WorkloadKind::DaemonSet => &[Role::Nmi],
            WorkloadKind::Pod => &[Role::Mic, Role::Nmi],
        };
        roles.iter().copied().find(|role| names.contains(&role.name()))
    }

    /// Whose it is, given that it has a role: podid's one program is told its role as an argument,
    /// the original's two have an entry point each.
    pub fn product(&self) -> Product {
        let role = self.role().map(Role::name);
        if self.image_name() == "podid" || role == Some(self.command()) {
            Product::Podid
        } else {
            Product::Original
        }
    }

    /// Value of a flag, if it is given.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags().into_iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// All its flags.
    pub fn flags(&self) -> Vec<(&str, &str)> {
        arguments::parse(&self.arguments)
    }

    /// Whether it matches within a namespace only.
    pub fn is_namespaced(&self) -> bool {
        let by_variable = self.environment.get("FORCENAMESPACED").is_some_and(|value| &**value == "true");
        let by_flag = ["forceNamespaced", "force-namespaced"].map(|name| self.flag(name) == Some("true"));
        by_variable || by_flag.contains(&true) || self.is_managed()
    }

    /// Whether it is an agent that decides itself.
    pub fn is_managed(&self) -> bool {
        self.flag("operation-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("managed"))
    }

    /// The version of a release image, such as `(1, 8)`.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let (_, tag) = self.image.rsplit_once(':')?;
        let mut parts = tag.trim_start_matches('v').split(['.', '-']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    /// Whether a pod with these labels in `namespace` is one of its own.
    pub fn owns(&self, namespace: &str, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        *self.id.namespace == *namespace
            && !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// The last part of the image's name, without tag and digest.
    fn image_name(&self) -> &str {
        let name = self.image.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next().unwrap_or_default()
    }

    /// The first argument that is no flag and no path to podid itself.
    fn command(&self) -> &str {
        let first = self.arguments.iter().map(|argument| argument.rsplit('/').next().unwrap_or_default());
        first.take_while(|word| !word.starts_with('-')).find(|word| *word != "podid").unwrap_or_default()
    }
}

// === impl WorkloadKind, Role ===

impl WorkloadKind {
    /// The kind as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
            Self::Pod => "Pod",
        }
    }
}

impl Role {
    /// The role's short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mic => "mic",
            Self::Nmi => "nmi",
        }
    }
}

// === impl Original ===

impl<'a> Original<'a> {
    pub(super) fn of(workloads: &'a [Workload]) -> Self {
        let of = |role| {
            let mine = |workload: &&Workload| {
                workload.role() == Some(role) && workload.product() == Product::Original
            };
            workloads.iter().filter(mine).collect()
        };
        Self { controllers: of(Role::Mic), agents: of(Role::Nmi) }
    }

    /// Both kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a Workload> {
        self.controllers.iter().chain(&self.agents).copied()
    }

    /// How far its matching reaches: as far as its least restricted part lets it.
    pub(super) fn matching(&self) -> Matching {
        if self.all().any(Workload::is_namespaced) { Matching::Namespaced } else { Matching::ClusterWide }
    }

    /// Whether its agents decide themselves.
    pub(super) fn is_managed(&self) -> bool {
        self.agents.iter().any(|agent| agent.is_managed())
    }
}
