//! Does the store behave as a real API server's?

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;

use super::super::history::Change;
use super::super::resource::{CONFIG_MAPS, EVENTS, NODES, PODS, SECRETS, SERVICE_ACCOUNTS};
use super::super::write::{Fields, Part};
use super::*;

static THINGS: Resource = Resource::new("example.org", "things");

fn store_with_history(history: usize) -> Store {
    let crd = json!({
        "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "size": {"type": "integer"}}}}}}}]},
    });
    Store::new(Settings { crds: vec![crd], root_ca: "PEM".into(), history }).unwrap()
}

fn store() -> Store {
    store_with_history(100)
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}},
           "spec": {"containers": [{"name": "c", "image": "registry/i:1"}]}})
}

fn thing(name: &str, size: u64) -> Value {
    json!({"metadata": {"name": name}, "spec": {"size": size}})
}

fn running(store: &Store, name: &str) -> Arc<Value> {
    store.create(&PODS, "default", pod(name)).unwrap();
    store.bind("default", name, "", "one").unwrap();
    store.modify(&PODS, "default", name, |pod| pod["status"]["phase"] = "Running".into()).unwrap()
}

fn options(grace_seconds: Option<u64>) -> DeleteOptions {
    DeleteOptions { grace_seconds, ..DeleteOptions::default() }
}

#[test]
fn created_object_gets_its_identity_and_defaults() {
    let store = store();
    let pod = store.create(&PODS, "default", pod("p")).unwrap();
    assert_eq!((&pod["apiVersion"], &pod["kind"]), (&json!("v1"), &json!("Pod")));
    assert_eq!(pod["metadata"]["namespace"], "default");
    assert_eq!(pod["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert!(pod["metadata"]["creationTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(pod["metadata"]["resourceVersion"], store.version().to_string());
    assert_eq!(pod["spec"]["restartPolicy"], "Always");
    assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(pod["status"]["phase"], "Pending");
    let generated = json!({"metadata": {"generateName": "p-"}, "spec": pod["spec"]});
    let generated = store.create(&PODS, "default", generated).unwrap();
    assert!(
        generated["metadata"]["name"].as_str().is_some_and(|name| name.len() == 7 && name.starts_with("p-"))
    );
}

#[test]
fn name_is_taken_once_and_namespace_must_exist() {
    let store = store();
    store.create(&PODS, "default", pod("p")).unwrap();
    assert_eq!(store.create(&PODS, "default", pod("p")).unwrap_err().reason, "AlreadyExists");
    store.create(&PODS, "kube-system", pod("p")).unwrap();
    let missing = store.create(&PODS, "nowhere", pod("p")).unwrap_err();
    assert_eq!((missing.code, missing.message.as_str()), (404, "namespaces \"nowhere\" not found"));
    let elsewhere = json!({"metadata": {"name": "p", "namespace": "kube-system"}});
    assert_eq!(store.create(&SECRETS, "default", elsewhere).unwrap_err().code, 400);
    assert_eq!(store.list(&PODS, "", &Selector::default()).unwrap().items.len(), 2);
}

#[test]
fn malformed_pod_is_refused_with_every_field_that_is_wrong() {
    let store = store();
    let bad = json!({"metadata": {"name": "P", "labels": {"a b": "c"}},
                     "spec": {"containers": [{"image": "i"}, {"name": "c"}, {"name": "c", "image": "i"}]}});
    let status = store.create(&PODS, "default", bad).unwrap_err();
    let causes = status.to_json()["details"]["causes"].clone();
    let fields: Vec<&str> = causes.as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(status.code, 422);
    assert_eq!(
        fields,
        [
            "metadata.name",
            "metadata.labels",
            "spec.containers[0].name",
            "spec.containers[1].image",
            "spec.containers[2].name"
        ]
    );
    for shape in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"metadata": 1}),
        json!({"metadata": {"name": "p"}, "spec": "x"}),
    ] {
        assert!(store.create(&PODS, "default", shape).is_err());
    }
}

#[test]
fn stale_version_is_a_conflict_and_no_change_writes_nothing() {
    let store = store();
    let first = store.create(&THINGS, "default", thing("t", 1)).unwrap();
    let mut second = (*first).clone();
    second["spec"]["size"] = 2.into();
    store.update(&THINGS, "default", second.clone()).unwrap();
    let stale = store.update(&THINGS, "default", second.clone()).unwrap_err();
    assert!(stale.is_conflict(), "{stale}");
    second["metadata"]["resourceVersion"] = Value::Null;
    assert_eq!(store.update(&THINGS, "default", second).unwrap_err().code, 422);
    let version = store.version();
    store.modify(&THINGS, "default", "t", |_| {}).unwrap();
    assert_eq!(store.version(), version);
}

#[test]
fn generation_counts_changes_of_all_but_metadata() {
    let store = store();
    store.create(&THINGS, "default", thing("t", 1)).unwrap();
    let labelled =
        store.modify(&THINGS, "default", "t", |t| t["metadata"]["labels"] = json!({"a": "b"})).unwrap();
    assert_eq!(labelled["metadata"]["generation"], 1);
    let changed = store.modify(&THINGS, "default", "t", |t| t["spec"]["size"] = 2.into()).unwrap();
    assert_eq!(changed["metadata"]["generation"], 2);
}

#[test]
fn what_only_the_server_may_write_stays() {
    let store = store();
    let before = store.create(&THINGS, "default", thing("t", 1)).unwrap();
    let after = store
        .modify(&THINGS, "default", "t", |t| {
            t["metadata"]["creationTimestamp"] = "2000-01-01T00:00:00Z".into();
            t["metadata"]["deletionTimestamp"] = "2000-01-01T00:00:00Z".into();
            t["metadata"]["managedFields"] = json!([{}]);
        })
        .unwrap();
    assert_eq!(before, after);
}

#[test]
fn custom_object_is_pruned_and_validated() {
    let store = store();
    let mut unknown = thing("t", 1);
    unknown["spec"]["Size"] = 2.into();
    let write = |fields, dry_run| Write { dry_run, fields, ..Write::default() };
    let strict =
        store.create_as(&THINGS, "default", unknown.clone(), write(Fields::Strict, false)).unwrap_err();
    assert!(strict.code == 400 && strict.message.contains("unknown field \"spec.Size\""), "{strict}");
    let warned = store.create_as(&THINGS, "default", unknown, write(Fields::Warn, true)).unwrap();
    assert_eq!(warned.warnings, ["unknown field \"spec.Size\""]);
    assert_eq!(warned.object["spec"], json!({"size": 1}));
    assert!(store.get(&THINGS, "default", "t").unwrap_err().is_not_found(), "a dry run stores nothing");
    let wrong = json!({"metadata": {"name": "t"}, "spec": {"size": "big"}});
    assert_eq!(store.create(&THINGS, "default", wrong).unwrap_err().code, 422);
}

#[test]
fn status_and_the_rest_are_written_through_their_own_paths() {
    let store = store();
    running(&store, "p");
    let edit = |pod: &mut Value| {
        pod["metadata"]["labels"] = json!({"new": "label"});
        pod["status"]["phase"] = "Failed".into();
        Ok(())
    };
    let write = |part| Write { part, ..Write::default() };
    let main = store.modify_as(&PODS, "default", "p", write(Part::Main), edit).unwrap().object;
    assert_eq!(
        (&main["metadata"]["labels"], &main["status"]["phase"]),
        (&json!({"new": "label"}), &json!("Running"))
    );
    store.modify(&PODS, "default", "p", |pod| pod["metadata"]["labels"] = json!({})).unwrap();
    let status = store.modify_as(&PODS, "default", "p", write(Part::Status), edit).unwrap().object;
    assert_eq!((&status["metadata"]["labels"], &status["status"]["phase"]), (&Value::Null, &json!("Failed")));
}

#[test]
fn pod_keeps_its_spec_but_for_images() {
    let store = store();
    running(&store, "p");
    let image = |pod: &mut Value| pod["spec"]["containers"][0]["image"] = "registry/i:2".into();
    store.modify(&PODS, "default", "p", image).unwrap();
    let node = store.modify(&PODS, "default", "p", |pod| pod["spec"]["nodeName"] = "two".into()).unwrap_err();
    assert_eq!(node.code, 422);
    let command = |pod: &mut Value| pod["spec"]["containers"][0]["command"] = json!(["x"]);
    assert_eq!(store.modify(&PODS, "default", "p", command).unwrap_err().code, 422);
}

#[test]
fn pod_is_bound_once_and_only_by_binding() {
    let store = store();
    let created = store.create(&PODS, "default", pod("p")).unwrap();
    let by_hand = store.modify(&PODS, "default", "p", |pod| pod["spec"]["nodeName"] = "two".into());
    assert_eq!(by_hand.unwrap_err().code, 422);
    assert!(
        store.bind("default", "p", "another", "one").unwrap_err().is_conflict(),
        "a namesake is not bound"
    );
    store.bind("default", "p", created["metadata"]["uid"].as_str().unwrap(), "one").unwrap();
    assert_eq!(store.get(&PODS, "default", "p").unwrap()["spec"]["nodeName"], "one");
    assert!(store.bind("default", "p", "", "two").unwrap_err().is_conflict());
    assert!(store.bind("default", "q", "", "one").unwrap_err().is_not_found());
}

#[test]
fn running_pod_stays_until_its_kubelet_finalizes_it() {
    let store = store();
    let pod = running(&store, "p");
    let marked = store.delete(&PODS, "default", "p", &options(None)).unwrap();
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    let again = store.delete(&PODS, "default", "p", &options(None)).unwrap();
    assert_eq!(marked, again, "a second delete changes nothing");
    let sooner = store.delete(&PODS, "default", "p", &options(Some(5))).unwrap();
    assert_eq!(sooner["metadata"]["deletionGracePeriodSeconds"], 5);
    let of = |uid: &str| DeleteOptions { uid: Some(uid.to_owned()), ..options(Some(0)) };
    let namesake = store.delete(&PODS, "default", "p", &of("another")).unwrap_err();
    assert!(namesake.is_conflict(), "a namesake is not finalized");
    store.delete(&PODS, "default", "p", &of(pod["metadata"]["uid"].as_str().unwrap())).unwrap();
    assert!(store.get(&PODS, "default", "p").unwrap_err().is_not_found());
}

#[test]
fn pod_without_a_node_or_forced_goes_at_once() {
    let store = store();
    store.create(&PODS, "default", pod("pending")).unwrap();
    store.delete(&PODS, "default", "pending", &options(None)).unwrap();
    running(&store, "forced");
    store.delete(&PODS, "default", "forced", &options(Some(0))).unwrap();
    assert!(store.list(&PODS, "", &Selector::default()).unwrap().items.is_empty());
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_dropped() {
    let store = store();
    let mut object = thing("t", 1);
    object["metadata"]["finalizers"] = json!(["example.org/a"]);
    store.create(&THINGS, "default", object).unwrap();
    let held = store.delete(&THINGS, "default", "t", &options(None)).unwrap();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    let more = |t: &mut Value| t["metadata"]["finalizers"] = json!(["example.org/a", "example.org/b"]);
    assert_eq!(store.modify(&THINGS, "default", "t", more).unwrap_err().code, 422);
    store.modify(&THINGS, "default", "t", |t| t["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(store.get(&THINGS, "default", "t").unwrap_err().is_not_found());
}

#[test]
fn preconditions_and_dry_runs_protect_an_object() {
    let store = store();
    store.create(&THINGS, "default", thing("t", 1)).unwrap();
    for options in [
        DeleteOptions { uid: Some("another".into()), ..DeleteOptions::default() },
        DeleteOptions { resource_version: Some("1".into()), ..DeleteOptions::default() },
    ] {
        assert!(store.delete(&THINGS, "default", "t", &options).unwrap_err().is_conflict());
    }
    store
        .delete(&THINGS, "default", "t", &DeleteOptions { dry_run: true, ..DeleteOptions::default() })
        .unwrap();
    assert!(store.get(&THINGS, "default", "t").is_ok());
}

#[test]
fn new_namespace_is_furnished_and_its_end_takes_everything_along() {
    let store = store();
    store.create(&NAMESPACES, "", json!({"metadata": {"name": "team"}})).unwrap();
    assert_eq!(store.get(&CONFIG_MAPS, "team", "kube-root-ca.crt").unwrap()["data"]["ca.crt"], "PEM");
    assert!(store.get(&SERVICE_ACCOUNTS, "team", "default").is_ok());
    let mut held = pod("p");
    held["metadata"]["finalizers"] = json!(["example.org/a"]);
    store.create(&PODS, "team", held).unwrap();
    store.create(&THINGS, "team", thing("t", 1)).unwrap();
    store.delete(&NAMESPACES, "", "team", &options(None)).unwrap();
    assert_eq!(store.get(&NAMESPACES, "", "team").unwrap()["status"]["phase"], "Terminating");
    assert!(store.get(&THINGS, "team", "t").is_err());
    assert_eq!(store.create(&THINGS, "team", thing("u", 1)).unwrap_err().code, 403);
    store.modify(&PODS, "team", "p", |pod| pod["metadata"]["finalizers"] = json!([])).unwrap();
    assert!(store.get(&NAMESPACES, "", "team").unwrap_err().is_not_found());
}

#[test]
fn secret_text_is_stored_as_data() {
    let store = store();
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"clientSecret": "abc"}});
    let secret = store.create(&SECRETS, "default", secret).unwrap();
    assert_eq!((&secret["data"], &secret["type"]), (&json!({"clientSecret": "YWJj"}), &json!("Opaque")));
    assert!(secret.get("stringData").is_none());
}

#[tokio::test]
async fn watch_sees_every_change_after_its_version_in_order() {
    let store = store();
    store.create(&PODS, "default", pod("a")).unwrap();
    let selector = store.selector(&PODS, "app in (a,b)", "metadata.namespace=default").unwrap();
    let mut changes = Box::pin(store.watch(&PODS, "", selector, store.version()).unwrap());
    let writer = store.clone();
    let task = tokio::spawn(async move {
        writer.create(&PODS, "default", pod("b")).unwrap();
        writer.create(&PODS, "default", pod("c")).unwrap();
        writer.create(&NODES, "", json!({"metadata": {"name": "n"}})).unwrap();
        tokio::task::yield_now().await;
        writer.modify(&PODS, "default", "a", |pod| pod["status"]["phase"] = "Running".into()).unwrap();
        writer.delete(&PODS, "default", "b", &options(None)).unwrap();
    });
    let mut seen = Vec::new();
    for _ in 0..3 {
        let event = changes.next().await.unwrap().unwrap();
        seen.push((event.change, event.object["metadata"]["name"].clone()));
    }
    task.await.unwrap();
    assert_eq!(
        seen,
        [(Change::Added, json!("b")), (Change::Modified, json!("a")), (Change::Deleted, json!("b"))]
    );
    let nothing = tokio::time::timeout(Duration::from_millis(20), changes.next()).await;
    assert!(nothing.is_err(), "no further change");
}

#[tokio::test]
async fn watch_that_fell_behind_is_told_so_and_ends() {
    let store = store_with_history(3);
    let version = store.version();
    for name in ["a", "b", "c", "d"] {
        store.create(&EVENTS, "default", json!({"metadata": {"name": name}})).unwrap();
    }
    let mut changes = Box::pin(store.watch(&EVENTS, "", Selector::default(), version).unwrap());
    assert_eq!(changes.next().await.unwrap().unwrap_err().code, 410);
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn watch_that_is_up_to_date_is_told_when_history_is_lost() {
    let store = store();
    let version = store.version();
    let watch = |version| Box::pin(store.watch(&PODS, "", Selector::default(), version).unwrap());
    let mut open = watch(version);
    store.forget();
    assert_eq!(open.next().await.unwrap().unwrap_err().code, 410);
    assert!(open.next().await.is_none());
    let mut next = watch(store.version());
    store.create(&PODS, "default", pod("p")).unwrap();
    assert_eq!(next.next().await.unwrap().unwrap().change, Change::Added);
}
