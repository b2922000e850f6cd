//! Does a watch tell the truth through disconnects, expiry, refusals and bad objects?

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
async fn expect(changes: &mut Changes<facts::Binding>, wanted: &[&str], server: impl Future<Output = ()>) {
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
        script.asked().await.list("5", &[binding("bad", 2, &json!(7)), no_uid, binding("a", 3, &json!("x"))]);
        let mut feed = script.asked().await.watch();
        feed.event("MODIFIED", binding("a", 6, &json!({"odd": true}))).await;
        feed.event("ADDED", binding("b", 7, &json!("y"))).await;
    })
    .await;
}

/// W-20.
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

/// W-44.
#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_without_an_end_goes_on_where_it_was() {
    let (client, mut script) = Script::new();
    let mut changes = bindings(client);
    expect(&mut changes, &["+a=x", "synced", "+a=y", "+a=z"], async {
        script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
        let mut silent = script.asked().await.watch();
        silent.event("MODIFIED", binding("a", 7, &json!("y"))).await;
        // Nobody hangs up: this end of the connection lives on.
        let again = script.asked().await;
        assert!(again.uri.contains("resourceVersion=7"), "{}", again.uri);
        again.watch().event("MODIFIED", binding("a", 8, &json!("z"))).await;
        drop(silent);
    })
    .await;
}

/// W-44.
#[tokio::test(start_paused = true)]
async fn a_list_or_a_watch_that_is_never_answered_is_asked_for_again() {
    let (client, mut script) = Script::new();
    let mut changes = bindings(client);
    expect(&mut changes, &["+a=x", "synced", "+a=y"], async {
        let _list = script.asked().await;
        script.asked().await.list("5", &[binding("a", 3, &json!("x"))]);
        let _watch = script.asked().await;
        let mut feed = script.asked().await.watch();
        feed.event("MODIFIED", binding("a", 7, &json!("y"))).await;
    })
    .await;
}

/// W-25.
#[tokio::test(start_paused = true)]
async fn a_node_asks_only_for_its_own() {
    let (client, mut script) = Script::new();
    let node = NodeName::new("aks-1");
    let mut pods = pods_on_node(client.clone(), &node);
    let mut assigned = assignments_on_node(client.clone(), &node);
    let mut nameless = assignments_on_node(client.clone(), &NodeName::new("n".repeat(64)));
    let mut itself = daemon_set(client, &ObjectRef::new("podid", "nmi"));
    let read =
        async { (pods.next().await, assigned.next().await, nameless.next().await, itself.next().await) };
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
        // A right that is limited to one name covers a list that is limited to it.
        let asked = script.asked().await;
        assert!(asked.uri.starts_with("/apis/apps/v1/namespaces/podid/daemonsets?"), "{}", asked.uri);
        assert!(asked.uri.contains("fieldSelector=metadata.name%3Dnmi"), "{}", asked.uri);
        asked.list("1", &[]);
    };
    let ((pods, assigned, nameless, itself), ()) = tokio::join!(read, server);
    assert_eq!(itself, Some(Change::Synced));
    assert_eq!((pods, assigned), (Some(Change::Synced), Some(Change::Synced)));
    assert_eq!(nameless, Some(Change::Synced));
}

#[test]
fn keys_name_objects() {
    use super::fact::Fact as _;
    let metadata =
        kube::core::ObjectMeta { name: Some("a".into()), namespace: Some("n".into()), ..Default::default() };
    assert_eq!(facts::Binding::key(&metadata), Some(key("a")));
    assert_eq!(facts::Binding::key(&kube::core::ObjectMeta::default()), None);
}
