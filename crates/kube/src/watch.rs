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

use std::sync::Arc;

use futures::future;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::core::Status;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use podid_core::facts;
use podid_core::ids::NodeName;

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

/// A selection that every node makes for itself: thousands of them must not each be a quorum read.
/// The list may be as old as the API server's cache; the watch that follows brings it up to date.
fn own(config: watcher::Config) -> watcher::Config {
    config.any_semantic()
}

fn changes<F: Fact>(client: Client, config: watcher::Config) -> Changes<F> {
    events::<F>(Api::all(client), config.page_size(PAGE))
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

#[cfg(test)]
mod tests {
    use podid_core::ids::ObjectRef;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Script;

    fn binding(name: &str, version: u64, selector: &Value) -> Value {
        json!({
            "metadata": {"namespace": "n", "name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string()},
            "spec": {"azureIdentity": "id", "selector": selector}
        })
    }

    fn key(name: &str) -> ObjectRef {
        ObjectRef::new("n", name)
    }

    /// What the next change says: `+name=selector`, `-name` or `synced`.
    async fn next(changes: &mut Changes<facts::Binding>) -> String {
        match changes.next().await.unwrap() {
            Change::Applied(fact) => format!("+{}={}", fact.id.name, fact.selector),
            Change::Gone(key) => format!("-{}", key.name),
            Change::Synced => "synced".to_owned(),
        }
    }

    /// Plays `server` while reading `wanted` from the stream.
    async fn expect(
        changes: &mut Changes<facts::Binding>,
        wanted: &[&str],
        server: impl Future<Output = ()>,
    ) {
        let read = async {
            for wanted in wanted {
                assert_eq!(next(changes).await, *wanted);
            }
        };
        tokio::join!(read, server);
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_goes_on_where_the_list_ended() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        expect(&mut changes, &["+a=x", "synced", "+b=y", "+a=z", "-b"], async {
            script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
            let watch = script.asked().await;
            assert!(watch.uri.contains("resourceVersion=5"), "{}", watch.uri);
            let mut feed = watch.watch();
            feed.event("ADDED", binding("b", 6, &json!("y"))).await;
            feed.event("MODIFIED", binding("a", 7, &json!("z"))).await;
            feed.event("DELETED", binding("b", 8, &json!("y"))).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_vanished_while_the_watch_was_expired_is_told_as_gone() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        expect(&mut changes, &["+a=x", "+b=x", "synced"], async {
            script.asked().await.list("5", &[binding("a", 3, &json!("x")), binding("b", 4, &json!("x"))]);
        })
        .await;
        expect(&mut changes, &["+c=x", "-b", "synced"], async {
            let mut feed = script.asked().await.watch();
            let expired = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
            feed.event("ERROR", expired).await;
            script.asked().await.list("9", &[binding("a", 3, &json!("x")), binding("c", 8, &json!("x"))]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_that_is_refused_at_the_start_of_a_watch_is_not_asked_for_again() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        expect(&mut changes, &["+a=x", "synced", "+b=x", "-a", "synced"], async {
            script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
            script.asked().await.fail(410, "Expired");
            script.asked().await.list("9", &[binding("b", 8, &json!("x"))]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_disconnect_resumes_at_the_last_bookmark_and_tells_nothing() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        expect(&mut changes, &["+a=x", "synced", "+a=y"], async {
            script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
            let mut feed = script.asked().await.watch();
            feed.event("BOOKMARK", json!({"kind": "AzureIdentityBinding", "apiVersion": "aadpodidentity.k8s.io/v1", "metadata": {"resourceVersion": "42"}})).await;
            drop(feed);
            let again = script.asked().await;
            assert!(again.uri.contains("resourceVersion=42"), "{}", again.uri);
            again.watch().event("MODIFIED", binding("a", 43, &json!("y"))).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_cannot_be_read_spoils_nothing_and_counts_as_absent() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        let no_uid = json!({"metadata": {"namespace": "n", "name": "c", "resourceVersion": "4"}});
        expect(&mut changes, &["+a=x", "synced", "-a", "+b=y"], async {
            script
                .asked()
                .await
                .list("5", &[binding("bad", 2, &json!(7)), no_uid, binding("a", 3, &json!("x"))]);
            let mut feed = script.asked().await.watch();
            feed.event("MODIFIED", binding("a", 6, &json!({"odd": true}))).await;
            feed.event("ADDED", binding("b", 7, &json!("y"))).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_that_changes_no_fact_is_not_told() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        expect(&mut changes, &["+a=x", "synced", "+b=y"], async {
            script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
            let mut feed = script.asked().await.watch();
            let mut labelled = binding("a", 6, &json!("x"));
            labelled["metadata"]["labels"] = json!({"team": "blue"});
            feed.event("MODIFIED", labelled).await;
            feed.event("ADDED", binding("b", 7, &json!("y"))).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_tried_again_with_growing_pauses() {
        let (client, mut script) = Script::new();
        let mut changes = bindings(client);
        let mut last = tokio::time::Instant::now();
        let mut pauses = Vec::new();
        expect(&mut changes, &["synced"], async {
            for _ in 0..8 {
                script.asked().await.fail(403, "Forbidden");
                pauses.push(last.elapsed());
                last = tokio::time::Instant::now();
            }
            script.asked().await.list("5", &[]);
        })
        .await;
        assert!(pauses[7] > pauses[1] * 4, "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn originals_carry_the_whole_object_and_change_with_it() {
        let (client, mut script) = Script::new();
        let mut changes = binding_originals(client);
        let first = binding("a", 3, &json!("x"));
        let mut labelled = binding("a", 6, &json!("x"));
        labelled["metadata"]["labels"] = json!({"team": "blue"});
        let read = async {
            let Some(Change::Applied(original)) = changes.next().await else { unreachable!() };
            assert_eq!(original.copy.json()["kind"], "AzureIdentityBinding");
            assert_eq!(original.copy.json()["apiVersion"], "aadpodidentity.k8s.io/v1");
            assert_eq!(changes.next().await, Some(Change::Synced));
            let Some(Change::Applied(edited)) = changes.next().await else { unreachable!() };
            assert_eq!((&edited.fact, edited.copy.resource_version()), (&original.fact, Some("6")));
        };
        let server = async {
            script.asked().await.list("5", &[first]);
            script.asked().await.watch().event("MODIFIED", labelled).await;
        };
        tokio::join!(read, server);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_asks_only_for_its_own() {
        let (client, mut script) = Script::new();
        let node = NodeName::new("aks-1");
        let mut pods = pods_on_node(client.clone(), &node);
        let mut assigned = assignments_on_node(client.clone(), &node);
        let mut nameless = assignments_on_node(client, &NodeName::new("n".repeat(64)));
        let read = async { (pods.next().await, assigned.next().await, nameless.next().await) };
        let server = async {
            let asked = script.asked().await;
            assert!(
                asked.uri.contains("/pods?") && asked.uri.contains("fieldSelector=spec.nodeName%3Daks-1"),
                "{}",
                asked.uri
            );
            asked.list("1", &[]);
            let asked = script.asked().await;
            assert!(asked.uri.contains("labelSelector=nodename%3Daks-1"), "{}", asked.uri);
            asked.list("1", &[]);
            let asked = script.asked().await;
            assert!(asked.uri.contains("labelSelector=%21nodename"), "{}", asked.uri);
            asked.list("1", &[]);
        };
        let ((pods, assigned, nameless), ()) = tokio::join!(read, server);
        assert_eq!((pods, assigned), (Some(Change::Synced), Some(Change::Synced)));
        assert_eq!(nameless, Some(Change::Synced));
    }

    #[test]
    fn keys_name_objects() {
        use fact::Fact as _;
        let metadata = kube::core::ObjectMeta {
            name: Some("a".into()),
            namespace: Some("n".into()),
            ..Default::default()
        };
        assert_eq!(facts::Binding::key(&metadata), Some(key("a")));
        assert_eq!(facts::Binding::key(&kube::core::ObjectMeta::default()), None);
    }
}
