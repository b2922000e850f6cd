//! What is stored right now, and which version is it?

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::super::catalogue::Catalogue;
use super::super::history::{Event, History, Record};
use super::super::resource::{NAMESPACES, Resource};
use super::super::selector::Selector;

type Collection = BTreeMap<(String, String), Arc<Value>>;

/// The objects, the version counter and the history of writes.
pub(super) struct State {
    version: u64,
    collections: HashMap<Resource, Collection>,
    history: History,
}

// === impl State ===

impl State {
    pub(super) fn new(history: usize) -> Self {
        Self { version: 0, collections: HashMap::new(), history: History::new(history) }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.collections.get(resource)?.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub(super) fn list(&self, resource: &Resource, namespace: &str) -> impl Iterator<Item = &Arc<Value>> {
        let objects = self.collections.get(resource).into_iter().flatten();
        objects.filter(move |((ns, _), _)| namespace.is_empty() || ns == namespace).map(|(_, object)| object)
    }

    pub(super) fn since(
        &self,
        version: u64,
        resource: &Resource,
        namespace: &str,
        selector: &Selector,
    ) -> Result<Vec<Event>, u64> {
        self.history.since(version, resource, namespace, selector)
    }

    /// Stores an object under a new version.
    pub(super) fn put(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        object: Value,
    ) -> Arc<Value> {
        let after = self.at_next_version(object);
        let key = (namespace.to_owned(), name.to_owned());
        let before = self.collections.entry(resource.clone()).or_default().insert(key, after.clone());
        self.record(resource, namespace, before, after.clone(), false);
        after
    }

    /// Removes an object; its last state is seen at the version of the removal.
    pub(super) fn remove(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        last: Value,
    ) -> Arc<Value> {
        let last = self.at_next_version(last);
        let key = (namespace.to_owned(), name.to_owned());
        let before = self.collections.get_mut(resource).and_then(|objects| objects.remove(&key));
        self.record(resource, namespace, before, last.clone(), true);
        last
    }

    /// Forgets how it came to be what it is.
    pub(super) fn forget(&mut self) {
        self.version += 1;
        self.history.forget(self.version);
    }

    /// Whether a namespace holds anything.
    pub(super) fn is_empty(&self, catalogue: &Catalogue, namespace: &str) -> bool {
        catalogue.namespaced().all(|resource| self.list(resource, namespace).next().is_none())
    }

    /// Removes a namespace that is being deleted and was only waiting for its last object.
    pub(super) fn sweep(&mut self, catalogue: &Catalogue, namespace: &str) {
        if let Some(object) = self.get(&NAMESPACES, "", namespace)
            && is_over(&object)
            && self.is_empty(catalogue, namespace)
        {
            self.remove(&NAMESPACES, "", namespace, (*object).clone());
        }
    }

    fn at_next_version(&mut self, mut object: Value) -> Arc<Value> {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        Arc::new(object)
    }

    fn record(
        &mut self,
        resource: &Resource,
        namespace: &str,
        before: Option<Arc<Value>>,
        after: Arc<Value>,
        removed: bool,
    ) {
        self.history.push(Record {
            version: self.version,
            resource: resource.clone(),
            namespace: namespace.to_owned(),
            before,
            after,
            removed,
        });
    }
}

/// Whether an object is being deleted and neither finalizers nor a running pod hold it.
pub(super) fn is_over(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let held = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    let running = metadata["deletionGracePeriodSeconds"].as_u64().unwrap_or(0) > 0;
    metadata["deletionTimestamp"].is_string() && !held && !running
}
