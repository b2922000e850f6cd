//! What follows from one change, and what do the others keep?
//!
//! Each index is copied when it changes and only then, because snapshots share it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use podid_core::answer::Held;
use podid_core::facts::{Assignment, Binding, Exception, Identity, Pod};
use podid_core::ids::ObjectRef;

use crate::snapshot::{Resident, Snapshot};

/// The facts and their indexes.
#[derive(Debug, Default)]
pub(super) struct Facts {
    now: Snapshot,
    /// Which pod each assignment is indexed under.
    pod_of_assignment: HashMap<ObjectRef, ObjectRef>,
    /// Which selector each binding is indexed under.
    selector_of_binding: HashMap<ObjectRef, Arc<str>>,
}

// === impl Facts ===

impl Facts {
    pub(super) fn snapshot(&self, complete: bool) -> Snapshot {
        Snapshot { complete, ..self.now.clone() }
    }

    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>, now: Timestamp) {
        let before = self.now.pods.get(&pod.id).filter(|known| known.pod.uid == pod.uid);
        let settled = match before {
            Some(known) if known.pod.selector() == pod.selector() => known.settled,
            Some(_) => now,
            None => pod.started.unwrap_or(now),
        };
        self.remove_pod(&pod.id);
        let resident = Arc::new(Resident { pod: pod.clone(), settled });
        if resident.can_call() {
            let addresses = Arc::make_mut(&mut self.now.addresses);
            for address in &pod.addresses {
                addresses.entry(*address).or_default().push(resident.clone());
            }
        }
        Arc::make_mut(&mut self.now.pods).insert(pod.id.clone(), resident);
    }

    pub(super) fn remove_pod(&mut self, id: &ObjectRef) {
        let Some(known) = Arc::make_mut(&mut self.now.pods).remove(id) else { return };
        let addresses = Arc::make_mut(&mut self.now.addresses);
        for address in &known.pod.addresses {
            take(addresses, address, |resident: &Arc<Resident>| resident.pod.id == *id);
        }
    }

    /// `listing`: the assignment is one of those that existed when we came, so how long it has been
    /// in its state is told by nothing but its age.
    pub(super) fn set_assignment(&mut self, assignment: &Arc<Assignment>, listing: bool, now: Timestamp) {
        let id = &assignment.id;
        let before = self.remove(id).filter(|held| held.assignment.uid == assignment.uid);
        let since = match before {
            Some(held) if held.assignment.state == assignment.state => held.since,
            None if listing => assignment.created.unwrap_or(now),
            _ => now,
        };
        let held = Arc::new(Held { assignment: Assignment::clone(assignment), since });
        self.pod_of_assignment.insert(id.clone(), assignment.pod.clone());
        Arc::make_mut(&mut self.now.assignments).entry(assignment.pod.clone()).or_default().push(held);
    }

    pub(super) fn remove_assignment(&mut self, id: &ObjectRef) {
        self.remove(id);
    }

    fn remove(&mut self, id: &ObjectRef) -> Option<Arc<Held>> {
        let pod = self.pod_of_assignment.remove(id)?;
        let assignments = Arc::make_mut(&mut self.now.assignments);
        take(assignments, &pod, |held: &Arc<Held>| held.assignment.id == *id)
    }

    pub(super) fn set_binding(&mut self, binding: Arc<Binding>) {
        self.remove_binding(&binding.id);
        let selector = binding.selector.clone();
        self.selector_of_binding.insert(binding.id.clone(), selector.clone());
        Arc::make_mut(&mut self.now.bindings).entry(selector).or_default().push(binding);
    }

    pub(super) fn remove_binding(&mut self, id: &ObjectRef) {
        let Some(selector) = self.selector_of_binding.remove(id) else { return };
        take(Arc::make_mut(&mut self.now.bindings), &selector, |binding: &Arc<Binding>| binding.id == *id);
    }

    pub(super) fn set_identity(&mut self, identity: Arc<Identity>) {
        Arc::make_mut(&mut self.now.identities).insert(identity.id.clone(), identity);
    }

    pub(super) fn remove_identity(&mut self, id: &ObjectRef) {
        Arc::make_mut(&mut self.now.identities).remove(id);
    }

    pub(super) fn set_exception(&mut self, exception: Arc<Exception>) {
        self.remove_exception(&exception.id);
        Arc::make_mut(&mut self.now.exceptions).push(exception);
    }

    pub(super) fn remove_exception(&mut self, id: &ObjectRef) {
        Arc::make_mut(&mut self.now.exceptions).retain(|exception| exception.id != *id);
    }
}

/// Takes the one that `is_meant` out of an index of lists, and leaves no empty list.
fn take<K: Eq + Hash, V>(
    index: &mut HashMap<K, Vec<V>>,
    key: &K,
    is_meant: impl Fn(&V) -> bool,
) -> Option<V> {
    let list = index.get_mut(key)?;
    let position = list.iter().position(is_meant)?;
    let taken = list.swap_remove(position);
    if list.is_empty() {
        index.remove(key);
    }
    Some(taken)
}
