//! Which bindings want their identity on every VM and scale set, and what has to be looked at again?

use std::collections::BTreeSet;

use podid_core::ids::{ComputeId, ObjectRef};
use podid_core::strategy::Strategy;
use podid_kube::watch::Change;

use super::facts::{Facts, Happening};
use super::lanes::Stake;

/// Keeps up which bindings have to be weighed again, where the strategy asks for that.
#[derive(Debug)]
pub(super) struct Everywhere {
    strategy: Strategy,
    changed: BTreeSet<ObjectRef>,
    /// What the nodes were on when all bindings were weighed last.
    targets: BTreeSet<ComputeId>,
    nodes_changed: bool,
}

// === impl Everywhere ===

impl Everywhere {
    /// Nothing is known yet.
    pub(super) fn new(strategy: Strategy) -> Self {
        Self { strategy, changed: BTreeSet::new(), targets: BTreeSet::new(), nodes_changed: false }
    }

    /// Takes in a change that `facts` are about to take in.
    pub(super) fn learn(&mut self, happening: &Happening, facts: &Facts) {
        if self.strategy == Strategy::PerUse {
            return;
        }
        match happening {
            Happening::Node(_) => self.nodes_changed = true,
            Happening::Binding(Change::Applied(binding)) => {
                self.changed.insert(binding.fact.id.clone());
            }
            Happening::Binding(Change::Gone(id)) => {
                self.changed.insert(id.clone());
            }
            Happening::Identity(Change::Applied(identity)) => {
                self.changed.extend(facts.bindings_to(&identity.fact.id).cloned());
            }
            Happening::Identity(Change::Gone(id)) => self.changed.extend(facts.bindings_to(id).cloned()),
            Happening::Pod(_)
            | Happening::Record(_)
            | Happening::Binding(Change::Synced)
            | Happening::Identity(Change::Synced)
            | Happening::Own(_) => {}
        }
    }

    /// Whether there is something to weigh.
    pub(super) fn is_dirty(&self) -> bool {
        self.nodes_changed || !self.changed.is_empty()
    }

    /// What each binding that changed wants of targets now.
    pub(super) fn stakes(&mut self, facts: &Facts) -> Vec<(ObjectRef, Stake)> {
        if std::mem::take(&mut self.nodes_changed) {
            let targets: BTreeSet<ComputeId> = facts.targets().into_iter().cloned().collect();
            if targets != self.targets {
                self.targets = targets;
                self.changed.extend(facts.all_bindings().cloned());
            }
        }
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| (id.clone(), self.stake(&id, facts))).collect()
    }

    fn stake(&self, binding: &ObjectRef, facts: &Facts) -> Stake {
        let identity = |id: &ObjectRef| facts.identity(id).map(|identity| &identity.fact);
        let binding = facts.binding(binding).map(|binding| &binding.fact);
        let wanted = binding.and_then(|binding| self.strategy.everywhere(binding, identity));
        let pairs = wanted.into_iter().flat_map(|id| self.targets.iter().map(|on| (on.clone(), id.clone())));
        Stake { needed: pairs.collect(), ..Stake::default() }
    }
}
