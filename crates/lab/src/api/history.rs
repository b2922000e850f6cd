//! What changed since a version, as far as we remember?

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::resource::Resource;
use super::selector::Selector;

/// One change of one object, as a watcher sees it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened, from the point of view of the watcher's selector.
    pub change: Change,
    /// The object after the change, or its last state when it is gone.
    pub object: Arc<Value>,
    /// Version of the change; a later watch continues from here.
    pub version: u64,
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The object is new, or new to the selector.
    Added,
    /// The object was there and is different now.
    Modified,
    /// The object is gone, or no longer chosen by the selector.
    Deleted,
}

/// One write, with what is needed to see it through any selector.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) version: u64,
    pub(super) resource: Resource,
    pub(super) namespace: String,
    pub(super) before: Option<Arc<Value>>,
    /// For a removal the last state, at the version of the removal.
    pub(super) after: Arc<Value>,
    pub(super) removed: bool,
}

/// The last writes, oldest first.
#[derive(Debug)]
pub(super) struct History {
    records: VecDeque<Record>,
    capacity: usize,
    /// Version of the newest record that was forgotten.
    forgotten: u64,
}

// === impl Change ===

impl Change {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

// === impl Record ===

impl Record {
    fn seen_through(&self, resource: &Resource, namespace: &str, selector: &Selector) -> Option<Event> {
        if self.resource != *resource || !(namespace.is_empty() || namespace == self.namespace) {
            return None;
        }
        let before = self.before.as_ref().is_some_and(|object| selector.matches(object));
        let after = !self.removed && selector.matches(&self.after);
        let change = match (before, after) {
            (false, true) => Change::Added,
            (true, true) => Change::Modified,
            (true, false) => Change::Deleted,
            (false, false) => return None,
        };
        Some(Event { change, object: self.after.clone(), version: self.version })
    }
}

// === impl History ===

impl History {
    /// An empty history that will hold at most `capacity` writes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { records: VecDeque::new(), capacity, forgotten: 0 }
    }

    /// Remembers a write and forgets the oldest one if there are too many.
    pub(super) fn push(&mut self, record: Record) {
        self.records.push_back(record);
        while self.records.len() > self.capacity {
            self.forgotten = self.records.pop_front().map_or(self.forgotten, |record| record.version);
        }
    }

    /// Forgets all writes before `version`.
    pub(super) fn forget(&mut self, version: u64) {
        self.records.clear();
        self.forgotten = version;
    }

    /// The changes after `version` in order, or the oldest version that can still be asked for.
    pub(super) fn since(
        &self,
        version: u64,
        resource: &Resource,
        namespace: &str,
        selector: &Selector,
    ) -> Result<Vec<Event>, u64> {
        if version < self.forgotten {
            return Err(self.forgotten);
        }
        let first = self.records.partition_point(|record| record.version <= version);
        let later = self.records.range(first..);
        Ok(later.filter_map(|record| record.seen_through(resource, namespace, selector)).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::resource::{NODES, PODS};
    use super::*;

    fn record(version: u64, before: Option<&str>, after: &str, removed: bool) -> Record {
        let object = |label: &str| Arc::new(json!({"metadata": {"labels": {"app": label}}}));
        Record {
            version,
            resource: PODS.clone(),
            namespace: "default".into(),
            before: before.map(object),
            after: object(after),
            removed,
        }
    }

    fn seen(history: &History, version: u64, selector: &str) -> Result<Vec<(u64, &'static str)>, u64> {
        let selector = Selector::labels(selector).unwrap_or_default();
        let events = history.since(version, &PODS, "", &selector)?;
        Ok(events.iter().map(|event| (event.version, event.change.as_str())).collect())
    }

    #[test]
    fn leaving_a_selector_is_a_deletion_and_entering_it_an_addition() {
        let mut history = History::new(10);
        history.push(record(1, None, "a", false));
        history.push(record(2, Some("a"), "b", false));
        history.push(record(3, Some("b"), "b", false));
        history.push(record(4, Some("b"), "b", true));
        assert_eq!(seen(&history, 0, "app=a"), Ok(vec![(1, "ADDED"), (2, "DELETED")]));
        assert_eq!(seen(&history, 0, "app=b"), Ok(vec![(2, "ADDED"), (3, "MODIFIED"), (4, "DELETED")]));
        assert_eq!(seen(&history, 3, ""), Ok(vec![(4, "DELETED")]));
    }

    #[test]
    fn only_the_asked_resource_and_namespace_are_seen() {
        let mut history = History::new(10);
        history.push(record(1, None, "a", false));
        let all = Selector::default();
        assert!(history.since(0, &NODES, "", &all).unwrap().is_empty());
        assert!(history.since(0, &PODS, "other", &all).unwrap().is_empty());
        assert_eq!(history.since(0, &PODS, "default", &all).unwrap().len(), 1);
    }

    #[test]
    fn version_older_than_the_history_is_gone() {
        let mut history = History::new(2);
        for version in 1..=4 {
            history.push(record(version, None, "a", false));
        }
        assert_eq!(seen(&history, 1, ""), Err(2));
        assert_eq!(seen(&history, 2, ""), Ok(vec![(3, "ADDED"), (4, "ADDED")]));
        assert_eq!(seen(&history, 9, ""), Ok(vec![]));
    }
}
