//! What does the cluster look like, and whom does a change of it concern?
//!
//! Every change names the pods that have to be planned again, and only those.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use podid_core::desired::{Verdict, desired};
use podid_core::facts::{Assignment, Binding, Identity, Node, Pod};
use podid_core::ids::{ClientId, ComputeId, NodeName, ObjectRef};
use podid_core::select::Matching;
use podid_core::target::{NoTarget, target};
use podid_kube::watch::{Change, Original};

use super::index::Index;

/// A change of any kind of object.
#[derive(Debug)]
pub(crate) enum Happening {
    /// Of a pod.
    Pod(Change<Pod>),
    /// Of a node.
    Node(Change<Node>),
    /// Of an `AzureIdentity`.
    Identity(Change<Original<Identity>>),
    /// Of an `AzureIdentityBinding`.
    Binding(Change<Original<Binding>>),
    /// Of an `AzureAssignedIdentity`.
    Record(Change<Assignment>),
    /// The managed identity of this client id is the controller's own from now on.
    Own(ClientId),
}

/// Where a node's identities are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The node is not known (yet).
    Unknown,
    /// On this VM or scale set.
    On(&'a ComputeId),
    /// The node cannot carry identities.
    Nowhere(&'a NoTarget),
}

/// Facts and the indexes over them.
#[derive(Debug)]
pub(crate) struct Facts {
    matching: Matching,
    /// Pods with the label; others have no say here.
    pods: HashMap<ObjectRef, Arc<Pod>>,
    nodes: HashMap<NodeName, KnownNode>,
    identities: HashMap<ObjectRef, Arc<Original<Identity>>>,
    bindings: HashMap<ObjectRef, Arc<Original<Binding>>>,
    records: HashMap<ObjectRef, Arc<Assignment>>,
    pods_by_label: Index<Arc<str>, ObjectRef>,
    /// Pods and pods named by records.
    pods_by_node: Index<NodeName, ObjectRef>,
    bindings_by_selector: Index<Arc<str>, ObjectRef>,
    bindings_by_identity: Index<ObjectRef, ObjectRef>,
    records_by_pod: Index<ObjectRef, ObjectRef>,
    synced: BTreeSet<&'static str>,
}

#[derive(Debug)]
struct KnownNode {
    place: Result<ComputeId, NoTarget>,
    /// It was deleted, but pods or records there still name it: what it was on has to be cleaned up.
    gone: bool,
}

/// How many kinds are watched.
const KINDS: usize = 5;

// === impl Facts ===

impl Facts {
    /// Nothing is known yet.
    pub(crate) fn new(matching: Matching) -> Self {
        Self {
            matching,
            pods: HashMap::new(),
            nodes: HashMap::new(),
            identities: HashMap::new(),
            bindings: HashMap::new(),
            records: HashMap::new(),
            pods_by_label: Index::default(),
            pods_by_node: Index::default(),
            bindings_by_selector: Index::default(),
            bindings_by_identity: Index::default(),
            records_by_pod: Index::default(),
            synced: BTreeSet::new(),
        }
    }

    /// Takes in a change. Returns the pods whose plan it may change.
    pub(crate) fn learn(&mut self, happening: Happening) -> Vec<ObjectRef> {
        match happening {
            Happening::Pod(Change::Applied(pod)) => self.pod_applied(pod),
            Happening::Pod(Change::Gone(id)) => self.pod_gone(&id),
            Happening::Node(Change::Applied(node)) => self.node_applied(&node),
            Happening::Node(Change::Gone(name)) => self.node_gone(&name),
            Happening::Identity(Change::Applied(identity)) => self.identity_applied(identity),
            Happening::Identity(Change::Gone(id)) => {
                self.identities.remove(&id);
                self.users_of(&id)
            }
            Happening::Binding(Change::Applied(binding)) => self.binding_applied(binding),
            Happening::Binding(Change::Gone(id)) => self.binding_gone(&id),
            Happening::Record(Change::Applied(record)) => self.record_applied(record),
            Happening::Record(Change::Gone(id)) => self.record_gone(&id),
            Happening::Own(_) => Vec::new(),
            Happening::Pod(Change::Synced) => self.synced("pods"),
            Happening::Node(Change::Synced) => self.synced("nodes"),
            Happening::Identity(Change::Synced) => self.synced("identities"),
            Happening::Binding(Change::Synced) => self.synced("bindings"),
            Happening::Record(Change::Synced) => self.synced("assignments"),
        }
    }

    /// Whether every kind was listed completely once. Before that nothing may be decided.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.len() == KINDS
    }

    /// Every pod that has a label or that a record names.
    pub(crate) fn all_pods(&self) -> BTreeSet<ObjectRef> {
        self.pods.keys().chain(self.records.values().map(|record| &record.pod)).cloned().collect()
    }

    /// Every identity.
    pub(crate) fn all_identities(&self) -> Vec<Arc<Original<Identity>>> {
        self.identities.values().cloned().collect()
    }

    /// The pod `id`, if it has the label.
    pub(crate) fn pod(&self, id: &ObjectRef) -> Option<&Pod> {
        self.pods.get(id).map(AsRef::as_ref)
    }

    /// The record `id`.
    pub(crate) fn record(&self, id: &ObjectRef) -> Option<&Assignment> {
        self.records.get(id).map(AsRef::as_ref)
    }

    /// All records.
    pub(crate) fn all_records(&self) -> impl Iterator<Item = &Assignment> {
        self.records.values().map(AsRef::as_ref)
    }

    /// All records that name `pod`.
    pub(crate) fn records_of(&self, pod: &ObjectRef) -> Vec<&Assignment> {
        self.records_by_pod.get(pod).filter_map(|id| self.record(id)).collect()
    }

    /// The identity `id`, with the copy that goes into records.
    pub(crate) fn identity(&self, id: &ObjectRef) -> Option<&Original<Identity>> {
        self.identities.get(id).map(AsRef::as_ref)
    }

    /// The binding `id`, with the copy that goes into records.
    pub(crate) fn binding(&self, id: &ObjectRef) -> Option<&Original<Binding>> {
        self.bindings.get(id).map(AsRef::as_ref)
    }

    /// Where `node` is.
    pub(crate) fn place(&self, node: &NodeName) -> Place<'_> {
        match self.nodes.get(node).map(|known| &known.place) {
            None => Place::Unknown,
            Some(Ok(target)) => Place::On(target),
            Some(Err(reason)) => Place::Nowhere(reason),
        }
    }

    /// The assignments that `pod` should have.
    pub(crate) fn desired<'a>(&'a self, pod: &'a Pod) -> Verdict<'a> {
        let bindings = self.bindings_by_selector.get(pod.selector().unwrap_or_default());
        let bindings = bindings.filter_map(|id| self.binding(id)).map(|binding| &binding.fact);
        desired(pod, bindings, |id| self.identity(id).map(|identity| &identity.fact), self.matching)
    }

    /// Every binding.
    pub(crate) fn all_bindings(&self) -> impl Iterator<Item = &ObjectRef> {
        self.bindings.keys()
    }

    /// The bindings that name the identity `id`.
    pub(crate) fn bindings_to(&self, id: &ObjectRef) -> impl Iterator<Item = &ObjectRef> {
        self.bindings_by_identity.get(id)
    }

    /// The VMs and scale sets of all nodes that exist.
    pub(crate) fn targets(&self) -> BTreeSet<&ComputeId> {
        let here = self.nodes.values().filter(|known| !known.gone);
        here.filter_map(|known| known.place.as_ref().ok()).collect()
    }

    fn synced(&mut self, kind: &'static str) -> Vec<ObjectRef> {
        self.synced.insert(kind);
        Vec::new()
    }

    fn pod_applied(&mut self, pod: Arc<Pod>) -> Vec<ObjectRef> {
        if pod.selector().is_none() {
            return self.pod_gone(&pod.id);
        }
        let id = pod.id.clone();
        let known = self.pods.insert(id.clone(), pod);
        if let Some(known) = known {
            self.forget_pod(&known);
        }
        let pod = &self.pods[&id];
        self.pods_by_label.insert(pod.selector().unwrap_or_default().into(), id.clone());
        if let Some(node) = &pod.node {
            self.pods_by_node.insert(node.clone(), id.clone());
        }
        vec![id]
    }

    fn pod_gone(&mut self, id: &ObjectRef) -> Vec<ObjectRef> {
        let Some(pod) = self.pods.remove(id) else { return Vec::new() };
        self.forget_pod(&pod);
        vec![id.clone()]
    }

    fn forget_pod(&mut self, pod: &Pod) {
        self.pods_by_label.remove(pod.selector().unwrap_or_default(), &pod.id);
        if let Some(node) = &pod.node {
            self.leave_node(node, &pod.id);
        }
    }

    /// A node that registers again may lack its provider id for a moment; it has not moved.
    fn node_applied(&mut self, node: &Node) -> Vec<ObjectRef> {
        let known = self.nodes.remove(&node.name).map(|known| known.place);
        let place = match (target(node), known.clone()) {
            (Err(NoTarget::Empty), Some(Ok(before))) => Ok(before),
            (place, _) => place,
        };
        let changed = known.as_ref() != Some(&place);
        self.nodes.insert(node.name.clone(), KnownNode { place, gone: false });
        if changed { self.pods_on(&node.name) } else { Vec::new() }
    }

    /// What a vanished node was on stays known while something there is left to clean up (W-16).
    fn node_gone(&mut self, name: &NodeName) -> Vec<ObjectRef> {
        let pods = self.pods_on(name);
        match self.nodes.get_mut(name) {
            Some(known) if known.place.is_ok() && !pods.is_empty() => {
                known.gone = true;
                Vec::new()
            }
            _ => {
                self.nodes.remove(name);
                pods
            }
        }
    }

    fn pods_on(&self, node: &NodeName) -> Vec<ObjectRef> {
        self.pods_by_node.get(node).cloned().collect()
    }

    /// `pod` is no longer on `node`, unless it is or a record still says so.
    fn leave_node(&mut self, node: &NodeName, pod: &ObjectRef) {
        let recorded = self.records_of(pod).iter().any(|record| record.node == *node);
        let runs = self.pod(pod).is_some_and(|pod| pod.node.as_ref() == Some(node));
        if recorded || runs {
            return;
        }
        if self.pods_by_node.remove(node, pod) && self.nodes.get(node).is_some_and(|known| known.gone) {
            self.nodes.remove(node);
        }
    }

    fn identity_applied(&mut self, identity: Arc<Original<Identity>>) -> Vec<ObjectRef> {
        let id = identity.fact.id.clone();
        let known = self.identities.insert(id.clone(), identity);
        // Another copy of the same fact, such as a new label, changes no decision (W-32).
        if known.is_some_and(|known| known.fact == self.identities[&id].fact) {
            return Vec::new();
        }
        self.users_of(&id)
    }

    /// Pods that a binding would give the identity `id`.
    fn users_of(&self, id: &ObjectRef) -> Vec<ObjectRef> {
        let bindings = self.bindings_by_identity.get(id).filter_map(|id| self.binding(id));
        bindings.flat_map(|binding| self.pods_by_label.get(&binding.fact.selector)).cloned().collect()
    }

    fn binding_applied(&mut self, binding: Arc<Original<Binding>>) -> Vec<ObjectRef> {
        if self.binding(&binding.fact.id).is_some_and(|known| known.fact == binding.fact) {
            self.bindings.insert(binding.fact.id.clone(), binding);
            return Vec::new();
        }
        let mut pods = self.binding_gone(&binding.fact.id);
        let fact = &binding.fact;
        pods.extend(self.pods_by_label.get(&fact.selector).cloned());
        self.bindings_by_selector.insert(fact.selector.clone(), fact.id.clone());
        self.bindings_by_identity.insert(fact.identity_id(), fact.id.clone());
        self.bindings.insert(fact.id.clone(), binding);
        pods
    }

    fn binding_gone(&mut self, id: &ObjectRef) -> Vec<ObjectRef> {
        let Some(binding) = self.bindings.remove(id) else { return Vec::new() };
        self.bindings_by_selector.remove(&binding.fact.selector, id);
        self.bindings_by_identity.remove(&binding.fact.identity_id(), id);
        self.pods_by_label.get(&binding.fact.selector).cloned().collect()
    }

    fn record_applied(&mut self, record: Arc<Assignment>) -> Vec<ObjectRef> {
        let mut pods = vec![record.pod.clone()];
        let id = record.id.clone();
        let known = self.records.insert(id.clone(), record);
        if let Some(known) = known {
            self.forget_record(&known);
            pods.push(known.pod.clone());
        }
        let record = &self.records[&id];
        self.records_by_pod.insert(record.pod.clone(), id);
        self.pods_by_node.insert(record.node.clone(), record.pod.clone());
        pods
    }

    fn record_gone(&mut self, id: &ObjectRef) -> Vec<ObjectRef> {
        let Some(record) = self.records.remove(id) else { return Vec::new() };
        self.forget_record(&record);
        vec![record.pod.clone()]
    }

    fn forget_record(&mut self, record: &Assignment) {
        if self.record(&record.id).is_none_or(|now| now.pod != record.pod) {
            self.records_by_pod.remove(&record.pod, &record.id);
        }
        self.leave_node(&record.node, &record.pod);
    }
}

#[cfg(test)]
mod tests;
