//! What does an event change, given what was told before?

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::runtime::watcher::Event;

use super::Change;
use super::fact::Fact;
use super::parsed::Parsed;

/// The facts that the reader of a stream has been told, shared with it.
pub(super) struct Known<F: Fact> {
    facts: HashMap<F::Key, Arc<F>>,
    /// While a list is coming in: what it held so far.
    listed: Option<HashSet<F::Key>>,
}

// === impl Known ===

impl<F: Fact> Default for Known<F> {
    fn default() -> Self {
        Self { facts: HashMap::new(), listed: None }
    }
}

impl<F: Fact> Known<F> {
    /// Takes in an event; returns what the reader has to be told.
    pub(super) fn learn(&mut self, event: Event<Parsed<F>>) -> Vec<Change<F>> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) | Event::Apply(object) => self.apply(object).into_iter().collect(),
            Event::Delete(object) => {
                F::key(&object.metadata).and_then(|key| self.forget(key)).into_iter().collect()
            }
            Event::InitDone => self.finish_list(),
        }
    }

    fn apply(&mut self, object: Parsed<F>) -> Option<Change<F>> {
        let key = F::key(&object.metadata)?;
        match object.fact {
            Ok(fact) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(key.clone());
                }
                if self.facts.get(&key) == Some(&fact) {
                    return None;
                }
                self.facts.insert(key, fact.clone());
                Some(Change::Applied(fact))
            }
            Err(problem) => {
                tracing::warn!(kind = F::KIND, object = ?key, problem, "object ignored");
                self.forget(key)
            }
        }
    }

    fn forget(&mut self, key: F::Key) -> Option<Change<F>> {
        self.facts.remove(&key).map(|_| Change::Gone(key))
    }

    fn finish_list(&mut self) -> Vec<Change<F>> {
        let listed = self.listed.take().unwrap_or_default();
        let mut vanished: Vec<F::Key> =
            self.facts.keys().filter(|key| !listed.contains(*key)).cloned().collect();
        vanished.sort();
        let mut changes: Vec<Change<F>> = vanished.into_iter().filter_map(|key| self.forget(key)).collect();
        changes.push(Change::Synced);
        changes
    }
}
