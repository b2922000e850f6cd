//! Does the embedded API answer over the wire as a real API server does?
#![allow(clippy::unwrap_used, reason = "what the tests share runs in tests only")]

mod cluster;

use std::time::Duration;

use futures::StreamExt;
use podid_lab::api::PODS;
use serde_json::{Value, json};

use crate::cluster::{BEARER, Cluster};

const POD: &str = "/api/v1/namespaces/default/pods";
const IDENTITIES: &str = "/apis/aadpodidentity.k8s.io/v1/namespaces/default/azureidentities";
const TABLE: (&str, &str) = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
           "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}]}})
}

fn identity(name: &str) -> Value {
    json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"name": name},
           "spec": {"type": 0, "clientID": "id", "resourceID":
             "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n"}})
}

#[tokio::test]
async fn without_the_token_nothing_is_answered() {
    let cluster = Cluster::start().await;
    for headers in [&[][..], &[("authorization", "Bearer a-tokem")], &[("authorization", "Basic a-token")]] {
        for path in ["/version", "/healthz", POD, "/nowhere"] {
            let response = cluster.send("GET", path, headers, "").await;
            assert_eq!(response.status(), 401, "{path}");
        }
    }
    assert_eq!(cluster.get("/healthz").await, (200, json!("ok")));
}

#[tokio::test]
async fn object_is_created_read_replaced_and_deleted() {
    let cluster = Cluster::start().await;
    let (code, created) = cluster.call("POST", IDENTITIES, &identity("a")).await;
    assert_eq!((code, &created["metadata"]["generation"]), (201, &json!(1)), "{created}");
    let path = format!("{IDENTITIES}/a");
    assert_eq!(cluster.get(&path).await, (200, created.clone()));
    let mut changed = created.clone();
    changed["spec"]["clientID"] = "other".into();
    assert_eq!(cluster.call("PUT", &path, &changed).await.0, 200);
    let (code, status) = cluster.call("PUT", &path, &changed).await;
    assert_eq!((code, &status["reason"], &status["kind"]), (409, &json!("Conflict"), &json!("Status")));
    let (code, deleted) = cluster.call("DELETE", &path, &json!({"propagationPolicy": "Background"})).await;
    assert_eq!(
        (code, &deleted["status"], &deleted["details"]["uid"]),
        (200, &json!("Success"), &created["metadata"]["uid"])
    );
    let (code, status) = cluster.get(&path).await;
    assert_eq!(
        (code, &status["message"]),
        (404, &json!("azureidentities.aadpodidentity.k8s.io \"a\" not found"))
    );
}

#[tokio::test]
async fn collection_is_listed_and_deleted_by_selector() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        assert_eq!(cluster.call("POST", POD, &pod(name)).await.0, 201);
    }
    let (_, list) = cluster.get("/api/v1/pods?labelSelector=app%3Da&limit=1").await;
    assert_eq!((&list["kind"], list["items"].as_array().map(Vec::len)), (&json!("PodList"), Some(1)));
    assert_eq!(list["metadata"]["resourceVersion"], cluster.store.version().to_string());
    assert_eq!(cluster.get(&format!("{POD}?fieldSelector=spec.x%3Dy")).await.0, 400);
    assert_eq!(cluster.call("DELETE", "/api/v1/pods", &Value::Null).await.0, 405);
    let (code, gone) =
        cluster.call("DELETE", &format!("{POD}?fieldSelector=metadata.name%3Da"), &Value::Null).await;
    assert_eq!((code, gone["items"].as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!(cluster.get(POD).await.1["items"][0]["metadata"]["name"], "b");
}

#[tokio::test]
async fn three_kinds_of_patch_are_applied_and_others_refused() {
    let cluster = Cluster::start().await;
    cluster.call("POST", POD, &pod("p")).await;
    cluster.call("POST", IDENTITIES, &identity("a")).await;
    let (pod, identity) = (format!("{POD}/p"), format!("{IDENTITIES}/a"));
    let image = r#"{"spec":{"containers":[{"name":"c","image":"j"}]}}"#;
    for (path, kind, body, code) in [
        (&pod, "application/strategic-merge-patch+json", image, 200),
        (&pod, "application/merge-patch+json", r#"{"metadata":{"labels":{"b":"c"}}}"#, 200),
        (&pod, "application/json-patch+json", r#"[{"op":"remove","path":"/metadata/labels/app"}]"#, 200),
        (&pod, "application/json-patch+json", r#"[{"op":"test","path":"/spec/x","value":1}]"#, 422),
        (&pod, "application/merge-patch+json", r#"{"metadata":{"resourceVersion":"1"}}"#, 409),
        (&pod, "application/apply-patch+yaml", "{}", 415),
        (&identity, "application/strategic-merge-patch+json", "{}", 415),
        (&identity, "application/merge-patch+json; charset=utf-8", r#"{"spec":{"type":1}}"#, 200),
    ] {
        let (found, answer) = cluster.call_as("PATCH", path, &[("content-type", kind)], body).await;
        assert_eq!(found, code, "{kind} {body} {answer}");
    }
    let (_, pod) = cluster.get(&pod).await;
    assert_eq!(pod["metadata"]["labels"], json!({"b": "c"}));
    assert_eq!(pod["spec"]["containers"][0]["image"], "j");
    assert_eq!(pod["spec"]["containers"][0]["env"], json!([{"name": "A", "value": "1"}]));
}

#[tokio::test]
async fn shipped_definitions_judge_their_objects() {
    let cluster = Cluster::start().await;
    let group = "/apis/aadpodidentity.k8s.io/v1/namespaces/default";
    for (plural, kind, spec, field) in [
        ("azureidentities", "AzureIdentity", json!({"type": 3}), "spec.type"),
        ("azureidentities", "AzureIdentity", json!({"resourceID": "/x"}), "spec.resourceID"),
        ("azureidentitybindings", "AzureIdentityBinding", json!({"selector": ""}), "spec.selector"),
        (
            "azurepodidentityexceptions",
            "AzurePodIdentityException",
            json!({"podLabels": {}}),
            "spec.podLabels",
        ),
    ] {
        let object = json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        let (code, status) = cluster.call("POST", &format!("{group}/{plural}"), &object).await;
        assert_eq!((code, &status["details"]["causes"][0]["field"]), (422, &json!(field)), "{status}");
    }
    let assigned = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity", "metadata": {"name": "x"},
        "spec": {"azureIdentityRef": identity("a"), "nodename": "n"}, "status": {"status": "Created"},
    });
    let (code, stored) = cluster.call("POST", &format!("{group}/azureassignedidentities"), &assigned).await;
    assert_eq!(
        (code, &stored["status"]),
        (201, &assigned["status"]),
        "status is no path of its own: {stored}"
    );
    assert_eq!(stored["spec"], assigned["spec"]);
    assert_eq!(cluster.get(&format!("{group}/azureassignedidentities/x/status")).await.0, 404);
    assert_eq!(
        cluster.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &json!({})).await.0,
        405
    );
}

#[tokio::test]
async fn pod_status_has_a_path_of_its_own() {
    let cluster = Cluster::start().await;
    cluster.call("POST", POD, &pod("p")).await;
    let merge = [("content-type", "application/merge-patch+json")];
    let both = r#"{"metadata":{"labels":{"x":"y"}},"status":{"phase":"Running"}}"#;
    let (_, main) = cluster.call_as("PATCH", &format!("{POD}/p"), &merge, both).await;
    assert_eq!(
        (&main["metadata"]["labels"]["x"], &main["status"]["phase"]),
        (&json!("y"), &json!("Pending"))
    );
    let other = both.replace("\"y\"", "\"z\"");
    let (_, status) = cluster.call_as("PATCH", &format!("{POD}/p/status"), &merge, &other).await;
    assert_eq!(
        (&status["metadata"]["labels"]["x"], &status["status"]["phase"]),
        (&json!("y"), &json!("Running"))
    );
}

#[tokio::test]
async fn record_lives_from_created_through_assigned_to_the_last_finalizer() {
    let cluster = Cluster::start().await;
    let records = "/apis/aadpodidentity.k8s.io/v1/namespaces/default/azureassignedidentities";
    let path = format!("{records}/r");
    let record = json!({"metadata": {"name": "r", "finalizers": ["example.org/held"]}, "status": {"status": "Created"}});
    assert_eq!(cluster.call("POST", records, &record).await.0, 201);
    let assign = r#"[{"op":"replace","path":"/status/status","value":"Assigned"}]"#;
    let kind = [("content-type", "application/json-patch+json")];
    let (code, mut assigned) = cluster.call_as("PATCH", &path, &kind, assign).await;
    assert_eq!((code, &assigned["status"]["status"]), (200, &json!("Assigned")));
    let precondition = json!({"preconditions": {"uid": assigned["metadata"]["uid"]}});
    let (code, held) = cluster.call("DELETE", &path, &precondition).await;
    assert_eq!((code, &held["kind"]), (200, &json!("AzureAssignedIdentity")));
    assigned["metadata"]["finalizers"] = json!([]);
    assert_eq!(cluster.call("PUT", &path, &assigned).await.0, 409, "the deletion was a change");
    assigned["metadata"]["resourceVersion"] = held["metadata"]["resourceVersion"].clone();
    assert_eq!(cluster.call("PUT", &path, &assigned).await.0, 200);
    assert_eq!(cluster.get(&path).await.0, 404);
}

#[tokio::test]
async fn unknown_fields_are_warned_of_or_refused_and_dry_runs_store_nothing() {
    let cluster = Cluster::start().await;
    let mut object = identity("a");
    object["spec"]["ClientID"] = "x".into();
    let (code, status) = cluster.call("POST", &format!("{IDENTITIES}?fieldValidation=Strict"), &object).await;
    assert_eq!(code, 400, "{status}");
    let headers = [BEARER, ("content-type", "application/json")];
    let warned =
        cluster.send("POST", &format!("{IDENTITIES}?dryRun=All"), &headers, &object.to_string()).await;
    assert_eq!(warned.status(), 201);
    assert_eq!(warned.headers()["warning"], "299 - \"unknown field \\\"spec.ClientID\\\"\"");
    assert_eq!(cluster.get(&format!("{IDENTITIES}/a")).await.0, 404);
    assert_eq!(cluster.call("POST", &format!("{IDENTITIES}?dryRun=Some"), &object).await.0, 400);
}

#[tokio::test]
async fn watch_begins_with_what_is_there_and_goes_on() {
    let cluster = Cluster::start().await;
    cluster.call("POST", POD, &pod("a")).await;
    let mut lines = cluster.watch(&format!("{POD}?watch=1"), &[]).await;
    let mut tables = cluster.watch(&format!("{POD}?watch=true&resourceVersion=0"), &[TABLE]).await;
    assert_eq!(lines.next().await.unwrap()["object"]["metadata"]["name"], "a");
    cluster.call("DELETE", &format!("{POD}/a"), &Value::Null).await;
    let line = lines.next().await.unwrap();
    assert_eq!((&line["type"], &line["object"]["kind"]), (&json!("DELETED"), &json!("Pod")));
    let line = tables.next().await.unwrap();
    assert_eq!((&line["type"], &line["object"]["rows"][0]["cells"][0]), (&json!("ADDED"), &json!("a")));
    assert_eq!(line["object"]["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(tables.next().await.unwrap()["type"], "DELETED");
}

#[tokio::test]
async fn watch_from_a_forgotten_version_is_an_error_event_and_ends() {
    let cluster = Cluster::start().await;
    for n in 0..101 {
        cluster.store.create(&PODS, "default", pod(&format!("p{n}"))).unwrap();
    }
    let mut lines = cluster.watch(&format!("{POD}?watch=1&resourceVersion=1"), &[]).await;
    let line = lines.next().await.unwrap();
    assert_eq!((&line["type"], &line["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert!(lines.next().await.is_none());
    assert_eq!(cluster.get(&format!("{POD}?watch=1&resourceVersion=x")).await.0, 400);
    let (code, status) = cluster.get(&format!("{POD}?watch=1&sendInitialEvents=true")).await;
    assert_eq!((code, &status["reason"]), (422, &json!("Invalid")));
}

#[tokio::test]
async fn watch_ends_with_its_time_and_with_the_server() {
    let cluster = Cluster::start().await;
    let mut short = cluster.watch(&format!("{POD}?watch=1&timeoutSeconds=1"), &[]).await;
    assert!(short.next().await.is_none());
    let mut long = cluster.watch(&format!("{POD}?watch=1"), &[]).await;
    cluster.shutdown.cancel();
    assert!(long.next().await.is_none());
    let stopped = tokio::time::timeout(Duration::from_secs(10), cluster.server).await;
    assert!(matches!(stopped, Ok(Ok(()))));
}

#[tokio::test]
async fn event_is_the_same_in_both_apis() {
    let cluster = Cluster::start().await;
    let newer = "/apis/events.k8s.io/v1/namespaces/default/events";
    let event = json!({"metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p"}, "note": "n", "reason": "r"});
    assert_eq!(cluster.call("POST", newer, &event).await.0, 201);
    let (_, older) = cluster.get("/api/v1/events?fieldSelector=involvedObject.name%3Dp").await;
    assert_eq!(
        (&older["items"][0]["message"], &older["items"][0]["apiVersion"]),
        (&json!("n"), &json!("v1"))
    );
    let patch = r#"{"note":"m","series":{"count":2}}"#;
    let kind = [("content-type", "application/merge-patch+json")];
    let (code, patched) = cluster.call_as("PATCH", &format!("{newer}/e"), &kind, patch).await;
    assert_eq!(
        (code, &patched["note"], &patched["apiVersion"]),
        (200, &json!("m"), &json!("events.k8s.io/v1"))
    );
    assert_eq!(cluster.get("/api/v1/namespaces/default/events/e").await.1["message"], "m");
}

#[tokio::test]
async fn logs_come_from_the_container_that_was_meant() {
    let cluster = Cluster::start().await;
    let mut two = pod("two");
    two["spec"]["containers"] = json!([{"name": "c", "image": "i"}, {"name": "d", "image": "i"}]);
    cluster.call("POST", POD, &pod("one")).await;
    cluster.call("POST", POD, &two).await;
    let (_, log) = cluster.get(&format!("{POD}/one/log?follow=true&tailLines=3")).await;
    assert_eq!(log, "default/one/c Some(3) true\nend\n");
    assert_eq!(cluster.get(&format!("{POD}/two/log?container=d")).await.0, 200);
    let (code, status) = cluster.get(&format!("{POD}/two/log")).await;
    assert_eq!(code, 400);
    assert_eq!(status["message"], "a container name must be specified for pod two, choose one of: [c d]");
    assert_eq!(cluster.get(&format!("{POD}/one/log?container=x")).await.0, 400);
    assert_eq!(cluster.get(&format!("{POD}/none/log")).await.0, 404);
}

#[tokio::test]
async fn terminals_are_refused_with_the_command_to_use() {
    let cluster = Cluster::start().await;
    for part in ["exec", "attach", "portforward"] {
        let (code, status) = cluster.get(&format!("{POD}/p/{part}")).await;
        assert_eq!(code, 501);
        assert!(status["message"].as_str().unwrap().contains("podid lab exec POD -- COMMAND"));
    }
}

#[tokio::test]
async fn everything_that_is_announced_is_there() {
    let cluster = Cluster::start().await;
    let (_, groups) = cluster.get("/apis").await;
    let named = groups["groups"].as_array().unwrap().iter();
    let mut roots: Vec<String> = named
        .map(|group| format!("apis/{}", group["preferredVersion"]["groupVersion"].as_str().unwrap()))
        .collect();
    roots.push("api/v1".into());
    let (_, documents) = cluster.get("/openapi/v3").await;
    let mut kinds = 0;
    for root in roots {
        let (code, resources) = cluster.get(&format!("/{root}")).await;
        assert_eq!(code, 200, "{root}");
        for resource in resources["resources"].as_array().unwrap() {
            let name = resource["name"].as_str().unwrap();
            if resource["verbs"].as_array().unwrap().contains(&json!("list")) && !name.contains('/') {
                kinds += 1;
                let (_, list) = cluster.get(&format!("/{root}/{name}")).await;
                assert!(list["items"].is_array(), "{root}/{name}");
                let url = documents["paths"][&root]["serverRelativeURL"].as_str().unwrap();
                let (_, document) = cluster.get(url).await;
                let scope = if resource["namespaced"] == true { "/namespaces/{namespace}" } else { "" };
                let patch = &document["paths"][format!("/{root}{scope}/{name}/{{name}}")]["patch"];
                assert!(patch["parameters"].to_string().contains("fieldValidation"), "{root}/{name}");
            }
        }
    }
    assert_eq!(kinds, 15);
    let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert_eq!(cluster.call("POST", review, &json!({})).await.1["status"]["allowed"], true);
    assert_eq!(cluster.get("/apis/apps/v1").await.0, 404);
    assert_eq!(cluster.call("POST", "/version", &json!({})).await.0, 405);
}
