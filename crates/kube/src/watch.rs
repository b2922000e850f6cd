//! What changes in the cluster?
//!
//! Each function gives an endless stream of [`Change`]s of one kind of object, as facts: the objects
//! themselves are parsed, converted and dropped one by one. A stream
//! - recovers by itself from disconnects, refusals and expired versions, backing off up to 30 s;
//! - reports an object that gives no fact through `tracing` and treats it as absent;
//! - leaves out events that do not change the fact;
//! - tells of objects that vanished while it was not watching as [`Change::Gone`].
//!
//! A reader acts on nothing before the first [`Change::Synced`]: half a list looks like a cluster in
//! which everything else was deleted.

mod fact;
mod known;
mod parsed;

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use podid_core::facts;
use podid_core::ids::NodeName;

pub use fact::{Fact, Original};
use known::Known;
use parsed::Parsed;

use crate::call::chain;
use crate::crd::NODE_LABEL;

/// What a stream tells.
#[derive(Debug, PartialEq)]
pub enum Change<F: Fact> {
    /// An object is new or its fact is another one than before.
    Applied(Arc<F>),
    /// An object is gone, left the selection or became unusable.
    Gone(F::Key),
    /// Everything that exists has been told of. Comes again after each recovery that lists anew.
    Synced,
}

/// A stream of changes.
pub type Changes<F> = BoxStream<'static, Change<F>>;

/// Objects per list page: bounds what is decoded at once.
const PAGE: u32 = 100;

/// All pods of the cluster.
pub fn pods(client: Client) -> Changes<facts::Pod> {
    changes(client, watcher::Config::default())
}

/// The pods of one node.
pub fn pods_on_node(client: Client, node: &NodeName) -> Changes<facts::Pod> {
    changes(client, own(watcher::Config::default().fields(&format!("spec.nodeName={node}"))))
}

/// All nodes.
pub fn nodes(client: Client) -> Changes<facts::Node> {
    changes(client, watcher::Config::default())
}

/// The identities of all namespaces.
pub fn identities(client: Client) -> Changes<facts::Identity> {
    changes(client, watcher::Config::default())
}

/// The identities of all namespaces, each with the copy that goes into assignments.
pub fn identity_originals(client: Client) -> Changes<Original<facts::Identity>> {
    changes(client, watcher::Config::default())
}

/// The bindings of all namespaces.
pub fn bindings(client: Client) -> Changes<facts::Binding> {
    changes(client, watcher::Config::default())
}

/// The bindings of all namespaces, each with the copy that goes into assignments.
pub fn binding_originals(client: Client) -> Changes<Original<facts::Binding>> {
    changes(client, watcher::Config::default())
}

/// The assignments of all namespaces.
pub fn assignments(client: Client) -> Changes<facts::Assignment> {
    changes(client, watcher::Config::default())
}

/// The assignments that carry the label of one node.
pub fn assignments_on_node(client: Client, node: &NodeName) -> Changes<facts::Assignment> {
    changes(client, own(watcher::Config::default().labels(&format!("{NODE_LABEL}={node}"))))
}

/// The exceptions of all namespaces.
pub fn exceptions(client: Client) -> Changes<facts::Exception> {
    changes(client, watcher::Config::default())
}

/// A selection that every node makes for itself: thousands of them must not each be a quorum read.
/// The list may be as old as the API server's cache; the watch that follows brings it up to date.
fn own(config: watcher::Config) -> watcher::Config {
    config.any_semantic()
}

fn changes<F: Fact>(client: Client, config: watcher::Config) -> Changes<F> {
    let api: Api<Parsed<F>> = Api::all(client);
    watcher::watcher(api, config.page_size(PAGE))
        .default_backoff()
        .scan(Known::<F>::default(), |known, event| {
            let changes = match event {
                Ok(event) => known.learn(event),
                Err(error) => {
                    report::<F>(&error);
                    Vec::new()
                }
            };
            futures::future::ready(Some(stream::iter(changes)))
        })
        .flatten()
        .boxed()
}

/// An expired version is routine; anything else an operator may have to mend.
fn report<F: Fact>(error: &watcher::Error) {
    let kind = F::KIND;
    match error {
        watcher::Error::WatchError(status) if status.code == 410 => {
            tracing::debug!(kind, "watch expired, listing again");
        }
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.is_forbidden() =>
        {
            tracing::error!(
                kind,
                reason = %status.message,
                "not allowed to watch; apply the role of deploy/infra to this service account"
            );
        }
        error => tracing::warn!(kind, error = chain(error), "watch interrupted, trying again"),
    }
}

// === impl Change ===

impl<F: Fact> Clone for Change<F> {
    fn clone(&self) -> Self {
        match self {
            Self::Applied(fact) => Self::Applied(fact.clone()),
            Self::Gone(key) => Self::Gone(key.clone()),
            Self::Synced => Self::Synced,
        }
    }
}
