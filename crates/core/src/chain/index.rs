//! Where is what a walk asks for, when a thousand pods are walked?

use std::collections::BTreeMap;
use std::iter;

use super::scene::{Pod, Runner, Scene};
use crate::adopt::{Identity, Product, Role, Workload};
use crate::answer::{Held, Mode, Protected, ProtectedId, Terms, View};
use crate::facts::{self, Binding};
use crate::ids::{ComputeId, IdentityResourceId, NodeName, ObjectRef};
use crate::select::{Matching, Selection, select};
use crate::target::target;

/// A scene, with tables to look things up in.
#[derive(Debug)]
pub struct Index<'a> {
    /// The scene.
    pub scene: &'a Scene,
    pods: BTreeMap<&'a ObjectRef, &'a Pod>,
    bindings: BTreeMap<&'a str, Vec<&'a Binding>>,
    identities: BTreeMap<&'a ObjectRef, &'a Identity>,
    records: BTreeMap<ObjectRef, Vec<Held>>,
    agents: BTreeMap<&'a NodeName, Vec<&'a Runner>>,
    addresses: BTreeMap<(&'a NodeName, std::net::IpAddr), Vec<&'a Pod>>,
}

/// How an NMI is told to work, as far as it decides about pods.
#[derive(Clone, Debug)]
pub(super) struct AgentSettings {
    pub(super) mode: Mode,
    pub(super) matching: Matching,
    pub(super) protected: Protected,
    pub(super) self_test: bool,
}

// === impl Index ===

impl<'a> Index<'a> {
    /// Sorts a scene.
    pub fn new(scene: &'a Scene) -> Self {
        let mut bindings: BTreeMap<&str, Vec<&Binding>> = BTreeMap::new();
        for binding in scene.bindings.list() {
            bindings.entry(&binding.selector).or_default().push(binding);
        }
        let mut records: BTreeMap<ObjectRef, Vec<Held>> = BTreeMap::new();
        for record in scene.records.list() {
            let since = record.created.unwrap_or(scene.now);
            records.entry(record.pod.clone()).or_default().push(Held { assignment: record.clone(), since });
        }
        let mut agents: BTreeMap<&NodeName, Vec<&Runner>> = BTreeMap::new();
        for runner in scene.runners.list().iter().filter(|runner| runner.workload.role() == Some(Role::Nmi)) {
            if let Some(node) = &runner.node {
                agents.entry(node).or_default().push(runner);
            }
        }
        let mut addresses: BTreeMap<_, Vec<&Pod>> = BTreeMap::new();
        for pod in &scene.pods {
            let meets = pod.fact.is_live() && !pod.fact.host_network;
            for node in pod.fact.node.iter().filter(|_| meets) {
                for address in &pod.fact.addresses {
                    addresses.entry((node, *address)).or_default().push(pod);
                }
            }
        }
        Self {
            scene,
            pods: scene.pods.iter().map(|pod| (&pod.fact.id, pod)).collect(),
            bindings,
            identities: scene.identities.list().iter().map(|one| (&one.fact.id, one)).collect(),
            records,
            agents,
            addresses,
        }
    }

    /// Hosts that an `AzureIdentity` may name as its authority, beside the known ones, by the flags of NMI.
    pub fn allowed_authorities(&self) -> Vec<String> {
        let agents = self.workloads(Role::Nmi).filter(|workload| workload.product() == Product::Podid);
        distinct(agents.flat_map(|workload| values(workload, "allowed-authority")).map(str::to_owned))
    }

    /// The pod with this name.
    pub fn pod(&self, id: &ObjectRef) -> Option<&'a Pod> {
        self.pods.get(id).copied()
    }

    /// Managed identities that the pod may have, in Azure's terms.
    pub fn resources(&self, pod: &'a Pod) -> Vec<IdentityResourceId> {
        let matching = self.agent_settings(pod.fact.node.as_ref()).matching;
        let grants = self.selection(&pod.fact, matching).grants;
        grants.iter().filter_map(|grant| grant.identity.resource_id().cloned()).collect()
    }

    /// The VM or scale set that the pod is on, where it has one.
    pub fn target(&self, pod: &Pod) -> Option<ComputeId> {
        target(&self.scene.nodes.known()?.get(pod.fact.node.as_ref()?)?.fact).ok()
    }

    pub(super) fn identity(&self, id: &ObjectRef) -> Option<&'a Identity> {
        self.identities.get(id).copied()
    }

    /// Bindings with this selector, of all namespaces.
    pub(super) fn bindings(&self, selector: &str) -> &[&'a Binding] {
        self.bindings.get(selector).map_or(&[], Vec::as_slice)
    }

    /// Pods of NMI on a node.
    pub(super) fn agents(&self, node: &NodeName) -> &[&'a Runner] {
        self.agents.get(node).map_or(&[], Vec::as_slice)
    }

    /// Live pods on the same node with one of the pod's addresses, itself left out.
    pub(super) fn namesakes(&self, pod: &'a facts::Pod) -> Option<&'a Pod> {
        let node = pod.node.as_ref()?;
        let of = |address: &std::net::IpAddr| self.addresses.get(&(node, *address)).into_iter().flatten();
        pod.addresses.iter().flat_map(of).find(|other| other.fact.uid != pod.uid).copied()
    }

    /// Deployments, DaemonSets and pods with this role, what runs first.
    pub(super) fn workloads(&self, role: Role) -> impl Iterator<Item = &'a Workload> {
        let runs = self.scene.runners.list().iter().map(|runner| &runner.workload);
        let installed = self.scene.installed.list().iter().map(|one| &one.workload);
        runs.chain(installed).filter(move |workload| workload.role() == Some(role))
    }

    /// How NMI on `node` is told to work; else how it is elsewhere; else as the chart has it.
    pub(super) fn agent_settings(&self, node: Option<&NodeName>) -> AgentSettings {
        let here = node.map_or(&[][..], |node| self.agents(node)).iter().map(|runner| &runner.workload);
        let ours = |workload: &&Workload| workload.product() == Product::Podid;
        let any = || self.workloads(Role::Nmi).find(ours).or_else(|| self.workloads(Role::Nmi).next());
        here.clone().find(ours).or_else(any).map_or_else(AgentSettings::usual, AgentSettings::of)
    }

    /// NMI's terms for pods of `node`.
    pub(super) fn terms(&self, node: Option<&NodeName>) -> Terms {
        let AgentSettings { mode, matching, protected, .. } = self.agent_settings(node);
        Terms {
            mode,
            matching,
            node: node.cloned().unwrap_or_else(|| NodeName::new("")),
            protected,
            hold_unknown: std::time::Duration::ZERO,
            hold_under_way: std::time::Duration::ZERO,
        }
    }
}

// === impl View ===

impl View for Index<'_> {
    fn excepts(&self, pod: &facts::Pod) -> bool {
        self.scene.exceptions.list().iter().any(|exception| exception.covers(pod))
    }

    fn assignments(&self, pod: &ObjectRef) -> impl Iterator<Item = &Held> {
        self.records.get(pod).map_or(&[][..], Vec::as_slice).iter()
    }

    fn selection(&self, pod: &facts::Pod, matching: Matching) -> Selection<'_> {
        let bindings = self.bindings(pod.selector().unwrap_or_default()).iter().copied();
        select(pod, bindings, |id| self.identity(id).map(|one| &one.fact), matching)
    }
}

// === impl AgentSettings ===

impl AgentSettings {
    fn usual() -> Self {
        Self {
            mode: Mode::Standard,
            matching: Matching::Namespaced,
            protected: Protected::default(),
            self_test: true,
        }
    }

    fn of(workload: &Workload) -> Self {
        let protected =
            values(workload, "protected-identity").filter_map(|id| id.parse::<ProtectedId>().ok());
        Self {
            mode: if workload.is_managed() { Mode::Managed } else { Mode::Standard },
            matching: matching(workload),
            protected: protected.collect(),
            self_test: workload.flag("redirect-selftest") != Some("false"),
        }
    }
}

/// All values of a flag that may be repeated, or hold several with commas between.
pub(super) fn values<'a>(workload: &'a Workload, name: &'static str) -> impl Iterator<Item = &'a str> {
    let given = workload.flags().into_iter().filter(move |(flag, _)| *flag == name);
    given.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

/// How far a controller or an agent is told that bindings reach.
pub(super) fn matching(workload: &Workload) -> Matching {
    if workload.is_namespaced() { Matching::Namespaced } else { Matching::ClusterWide }
}

/// One after the other, without repetition.
pub(super) fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut found, item| {
        if !found.contains(&item) {
            found.extend(iter::once(item));
        }
        found
    })
}
