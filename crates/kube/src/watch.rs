//! What changes in the cluster?
//!
//! Each function gives an endless stream of [`Change`]s of one kind of object, as facts: the objects
//! themselves are parsed, converted and dropped one by one. A stream
//! - recovers by itself from disconnects, refusals and expired versions, with growing pauses;
//! - reports an object that gives no fact through `tracing` and treats it as absent;
//! - leaves out events that do not change the fact;
//! - tells of objects that vanished while it was not watching as [`Change::Gone`].
//!
//! A reader acts on nothing before the first [`Change::Synced`]: half a list looks like a cluster in
//! which everything else was deleted.

mod fact;
mod known;
mod parsed;
mod patience;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::future;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::core::Status;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use podid_core::facts;
use podid_core::ids::{NodeName, ObjectRef};
use tokio::time::timeout;
use tower::{BoxError, service_fn};

pub use fact::{Fact, Original};
use known::Known;
use parsed::Parsed;
use patience::Patience;

use crate::call::chain;
use crate::crd::{NODE_LABEL, label_value};

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

/// How long a list or a watch may take to begin its answer. A connection that broke without a word would otherwise
/// hold a watch for as long as the kernel goes on sending.
const ANSWER: Duration = Duration::from_secs(30);

/// The version that a watch should start at is too old to be known (HTTP 410).
const EXPIRED: u16 = 410;

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

/// The assignments of one node. A node whose name is no label value shares its watch with others of
/// that kind; their assignments are for pods that it does not have.
pub fn assignments_on_node(client: Client, node: &NodeName) -> Changes<facts::Assignment> {
    let selector = match label_value(node) {
        Some(value) => format!("{NODE_LABEL}={value}"),
        None => format!("!{NODE_LABEL}"),
    };
    changes(client, own(watcher::Config::default().labels(&selector)))
}

/// The exceptions of all namespaces.
pub fn exceptions(client: Client) -> Changes<facts::Exception> {
    changes(client, watcher::Config::default())
}

/// The DaemonSet `id` alone.
pub fn daemon_set(client: Client, id: &ObjectRef) -> Changes<facts::DaemonSet> {
    let config = own(watcher::Config::default().fields(&format!("metadata.name={}", id.name)));
    changes_of(Api::namespaced(impatient(client), &id.namespace), config)
}

/// A selection that every node makes for itself: thousands of them must not each be a quorum read.
/// The list may be as old as the API server's cache; the watch that follows brings it up to date.
fn own(config: watcher::Config) -> watcher::Config {
    config.any_semantic()
}

fn changes<F: Fact>(client: Client, config: watcher::Config) -> Changes<F> {
    changes_of(Api::all(impatient(client)), config)
}

/// The client, but for calls that are given up when no answer begins. Each call names its namespace.
fn impatient(client: Client) -> Client {
    let ask = move |request| {
        let client = client.clone();
        async move { Ok::<_, BoxError>(timeout(ANSWER, client.send(request)).await??) }
    };
    Client::new(service_fn(ask), "")
}

fn changes_of<F: Fact>(api: Api<Parsed<F>>, config: watcher::Config) -> Changes<F> {
    events::<F>(api, config.page_size(PAGE))
        .backoff(Patience::new())
        .scan(Known::<F>::default(), |known, event| {
            let changes = match event {
                Ok(event) => known.learn(event),
                Err(error) => {
                    report::<F>(&error);
                    Vec::new()
                }
            };
            future::ready(Some(stream::iter(changes)))
        })
        .flatten()
        .boxed()
}

/// The watcher's events. It lists anew by itself when a running watch tells that its version has
/// expired; where the server refuses to *start* a watch for that reason, it would ask for the same
/// version for ever, so another watcher takes over.
fn events<F: Fact>(
    api: Api<Parsed<F>>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<watcher::Event<Parsed<F>>>> {
    stream::repeat_with(move || {
        let expired = watcher::Error::WatchError(Box::new(Status { code: EXPIRED, ..Status::default() }));
        watcher::watcher(api.clone(), config.clone())
            .take_while(|event| future::ready(!refused_as_expired(event)))
            .chain(stream::once(future::ready(Err(expired))))
    })
    .flatten()
}

fn refused_as_expired<E>(event: &watcher::Result<E>) -> bool {
    matches!(event, Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) if status.code == EXPIRED)
}

/// An expired version is routine; anything else an operator may have to mend.
fn report<F: Fact>(error: &watcher::Error) {
    let kind = F::KIND;
    match error {
        watcher::Error::WatchError(status) if status.code == EXPIRED => {
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
