//! Where do the objects live, and how are they read and written?

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::Stream;
use serde_json::Value;
use tokio::sync::watch;

use super::admit;
use super::catalogue::{Catalogue, CrdError, Kind};
use super::history::Event;
use super::resource::{NAMESPACES, Resource};
use super::selector::Selector;
use super::status::Status;
use super::write::Write;
use state::{State, is_over};

mod bind;
mod delete;
mod follow;
mod seed;
mod state;
#[cfg(test)]
mod tests;

pub use delete::DeleteOptions;

/// The objects of the cluster. Cheap to clone; all clones are the same store.
///
/// Every read and write is immediate and atomic. A namespace of `""` means "every namespace" when reading, and is
/// what cluster-scoped kinds use.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: Catalogue,
    root_ca: String,
    state: Mutex<State>,
    latest: watch::Sender<u64>,
}

/// What a new store is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The custom resource definitions to serve, as objects.
    pub crds: Vec<Value>,
    /// PEM of the authority that signed the server's certificate; every namespace gets it as `kube-root-ca.crt`.
    pub root_ca: String,
    /// How many writes a watch may lag behind before it gets 410.
    pub history: usize,
}

/// The objects of one collection at one version.
#[derive(Clone, Debug)]
pub struct List {
    /// The objects, by namespace and name.
    pub items: Vec<Arc<Value>>,
    /// Version of the list: a watch from here misses nothing.
    pub version: u64,
}

/// An object as stored, and what its writer should know.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) object: Arc<Value>,
    pub(super) warnings: Vec<String>,
}

// === impl Store ===

impl Store {
    /// A store with the usual namespaces and nothing else in it.
    pub fn new(settings: Settings) -> Result<Self, CrdError> {
        let store = Self {
            inner: Arc::new(Inner {
                catalogue: Catalogue::new(&settings.crds)?,
                root_ca: settings.root_ca,
                state: Mutex::new(State::new(settings.history)),
                latest: watch::Sender::new(0),
            }),
        };
        store.seed(settings.crds);
        Ok(store)
    }

    /// One object.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        self.kind(resource)?;
        self.locked().get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))
    }

    /// All chosen objects of one namespace, or of all.
    pub fn list(&self, resource: &Resource, namespace: &str, selector: &Selector) -> Result<List, Status> {
        self.kind(resource)?;
        let state = self.locked();
        let items =
            state.list(resource, namespace).filter(|object| selector.matches(object)).cloned().collect();
        Ok(List { items, version: state.version() })
    }

    /// The chosen changes after `version`. The stream never ends by itself; its only error is 410, after which it ends.
    pub fn watch(
        &self,
        resource: &Resource,
        namespace: &str,
        selector: Selector,
        version: u64,
    ) -> Result<impl Stream<Item = Result<Event, Status>> + Send + use<>, Status> {
        self.kind(resource)?;
        Ok(follow::changes(self.clone(), resource.clone(), namespace.to_owned(), selector, version))
    }

    /// Reads a label and a field selector for one collection; empty texts choose everything.
    pub fn selector(&self, resource: &Resource, labels: &str, fields: &str) -> Result<Selector, Status> {
        Selector::labels(labels)?.and_fields(self.kind(resource)?, fields)
    }

    /// Adds an object. Its name is taken from it (`metadata.name`, or made from `generateName`).
    pub fn create(&self, resource: &Resource, namespace: &str, object: Value) -> Result<Arc<Value>, Status> {
        self.create_as(resource, namespace, object, Write::default()).map(|written| written.object)
    }

    /// Replaces an object. If the new one carries a `resourceVersion` it must be the current one.
    pub fn update(&self, resource: &Resource, namespace: &str, object: Value) -> Result<Arc<Value>, Status> {
        let name = admit::text(&object["metadata"]["name"]).to_owned();
        self.modify(resource, namespace, &name, |current| *current = object)
    }

    /// Changes an object in place. Nobody can write between, so there is no conflict and no retry.
    pub fn modify(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Arc<Value>, Status> {
        let edit = |object: &mut Value| {
            edit(object);
            Ok(())
        };
        self.modify_as(resource, namespace, name, Write::default(), edit).map(|written| written.object)
    }

    pub(super) fn create_as(
        &self,
        resource: &Resource,
        namespace: &str,
        object: Value,
        write: Write,
    ) -> Result<Written, Status> {
        let kind = self.kind(resource)?;
        let mut state = self.locked();
        if kind.namespaced {
            let parent = state
                .get(&NAMESPACES, "", namespace)
                .ok_or_else(|| Status::not_found(&NAMESPACES, namespace))?;
            if parent["metadata"]["deletionTimestamp"].is_string() {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                return Err(Status::forbidden(resource, admit::text(&object["metadata"]["name"]), &why));
            }
        }
        let (object, warnings) = admit::create(kind, namespace, object, write)?;
        let name = admit::text(&object["metadata"]["name"]).to_owned();
        if state.get(resource, namespace, &name).is_some() {
            return Err(Status::already_exists(resource, &name));
        }
        if write.dry_run {
            return Ok(Written { object: Arc::new(object), warnings });
        }
        let object = state.put(resource, namespace, &name, object);
        if *resource == NAMESPACES {
            self.furnish(&mut state, &name);
        }
        self.announce(&state);
        Ok(Written { object, warnings })
    }

    pub(super) fn modify_as(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        write: Write,
        edit: impl FnOnce(&mut Value) -> Result<(), Status>,
    ) -> Result<Written, Status> {
        let kind = self.kind(resource)?;
        let mut state = self.locked();
        let before = state.get(resource, namespace, name).ok_or_else(|| Status::not_found(resource, name))?;
        let mut after = (*before).clone();
        edit(&mut after)?;
        let (after, warnings) = admit::update(kind, &before, after, write)?;
        if write.dry_run || after == *before {
            return Ok(Written { object: Arc::new(after), warnings });
        }
        let object = if is_over(&after) && *resource != NAMESPACES {
            state.remove(resource, namespace, name, after)
        } else {
            state.put(resource, namespace, name, after)
        };
        state.sweep(self.catalogue(), namespace);
        self.announce(&state);
        Ok(Written { object, warnings })
    }

    /// Loses the history of writes: every watch that is open or goes on from before is told 410.
    pub fn forget(&self) {
        let mut state = self.locked();
        state.forget();
        self.announce(&state);
    }

    /// The version of the last write.
    pub fn version(&self) -> u64 {
        self.locked().version()
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    fn kind(&self, resource: &Resource) -> Result<&Kind, Status> {
        self.inner
            .catalogue
            .kind(resource)
            .ok_or_else(|| Status::new(404, "NotFound", "the server could not find the requested resource"))
    }

    fn announce(&self, state: &State) {
        self.inner.latest.send_replace(state.version());
    }

    // Writes leave the state whole even if an edit panics, so a poisoned lock is still good.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
