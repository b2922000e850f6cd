//! What does it take to delete an object?

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::admit;
use super::super::resource::{NAMESPACES, PODS, Resource};
use super::super::selector::Selector;
use super::super::status::Status;
use super::Store;
use super::state::{State, is_over};

/// How to delete, and under which conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds that a pod gets to stop; its own `terminationGracePeriodSeconds` if absent. 0 removes it at once.
    pub grace_seconds: Option<u64>,
    /// Delete only the object with this uid.
    pub uid: Option<String>,
    /// Delete only this version.
    pub resource_version: Option<String>,
    /// Check everything, change nothing.
    pub dry_run: bool,
}

// === impl Store ===

impl Store {
    /// Deletes an object, or marks it as being deleted while finalizers or a running pod hold it.
    /// Returns its last or current state.
    pub fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, Status> {
        self.kind(resource)?;
        let mut state = self.locked();
        let object = state.get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))?;
        options.check(resource, &object)?;
        if options.dry_run {
            return Ok(object);
        }
        let last = self.end(&mut state, resource, &object, options);
        state.sweep(self.catalogue(), namespace);
        self.announce(&state);
        Ok(last)
    }

    fn end(
        &self,
        state: &mut State,
        resource: &Resource,
        before: &Arc<Value>,
        options: &DeleteOptions,
    ) -> Arc<Value> {
        let (namespace, name) = admit::key(before);
        let mut after = (**before).clone();
        if after["metadata"]["deletionTimestamp"].is_null() {
            after["metadata"]["deletionTimestamp"] = admit::now(0).into();
            admit::bump_generation(&mut after);
        }
        let grace = options.grace(before);
        if *resource == PODS
            && before["metadata"]["deletionGracePeriodSeconds"].as_u64().is_none_or(|g| grace < g)
        {
            after["metadata"]["deletionGracePeriodSeconds"] = grace.into();
            after["metadata"]["deletionTimestamp"] = admit::now(grace).into();
        }
        if *resource == NAMESPACES {
            after["status"] = json!({"phase": "Terminating"});
        } else if is_over(&after) {
            return state.remove(resource, namespace, name, after);
        }
        if after == **before {
            return before.clone();
        }
        let after = state.put(resource, namespace, name, after);
        if *resource == NAMESPACES {
            self.empty(state, name);
            state.sweep(self.catalogue(), name);
        }
        after
    }

    fn empty(&self, state: &mut State, namespace: &str) {
        for resource in self.catalogue().namespaced() {
            let objects: Vec<_> = state.list(resource, namespace).cloned().collect();
            for object in objects {
                self.end(state, resource, &object, &DeleteOptions::default());
            }
        }
    }

    /// Deletes every chosen object of a namespace, or of all, and returns them.
    pub(in super::super) fn delete_all(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: &Selector,
        options: &DeleteOptions,
    ) -> Result<Vec<Arc<Value>>, Status> {
        let chosen = self.list(resource, namespace, selector)?.items;
        for object in &chosen {
            let (namespace, name) = admit::key(object);
            match self.delete(resource, namespace, name, options) {
                Err(status) if !status.is_not_found() => return Err(status),
                _ => {}
            }
        }
        Ok(chosen)
    }
}

// === impl DeleteOptions ===

impl DeleteOptions {
    fn check(&self, resource: &Resource, object: &Value) -> Result<(), Status> {
        let metadata = &object["metadata"];
        let name = admit::text(&metadata["name"]);
        for (field, wanted) in [("uid", &self.uid), ("resourceVersion", &self.resource_version)] {
            let found = admit::text(&metadata[field]);
            if let Some(wanted) = wanted
                && wanted != found
            {
                let label = if field == "uid" { "UID" } else { "ResourceVersion" };
                let why = format!(
                    "Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {found}"
                );
                return Err(Status::conflict(resource, name, &why));
            }
        }
        Ok(())
    }

    /// A pod that no node runs, or that has ended, needs no time to stop.
    fn grace(&self, pod: &Value) -> u64 {
        let idle = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
            || ["Succeeded", "Failed"].contains(&admit::text(&pod["status"]["phase"]));
        let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        if idle { 0 } else { self.grace_seconds.unwrap_or(own) }
    }
}
