//! Which pods does the API server's own policy keep out?

use podid_testbed::{ControlPlane, Output};
use serde_json::{Value, json};

use crate::cluster::{OLD, choice, create, namespace, shared};
use crate::pods::{cases, pod, with};

const POLICY: &str = "ValidatingAdmissionPolicy 'podid-net-raw'";

/// Adds a container for debugging to the pod `name`, as `kubectl debug` does.
fn debug(cluster: &ControlPlane, namespace: &str, name: &str, container: &str, security: &Value) -> Output {
    let pod = format!("pod/{name}");
    let namespace = format!("--namespace={namespace}");
    let now = cluster.kubectl(&["get", &pod, &namespace, "--output=json"]).ok();
    let mut object: Value = serde_json::from_str(&now).unwrap();
    let one = json!({"name": container, "image": "x", "securityContext": security});
    match object["spec"]["ephemeralContainers"].as_array_mut() {
        Some(there) => there.push(one),
        None => object["spec"]["ephemeralContainers"] = json!([one]),
    }
    let patch = json!({"spec": {"ephemeralContainers": object["spec"]["ephemeralContainers"]}}).to_string();
    let patch = [
        "patch",
        &pod,
        &namespace,
        "--subresource=ephemeralcontainers",
        "--type=strategic",
        "--patch",
        &patch,
    ];
    cluster.kubectl(&patch)
}

#[test]
fn pods_that_could_take_a_neighbour_s_address_are_refused_and_all_others_pass() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "table");
    let mut wrong = Vec::new();
    for (name, spec, verdict) in cases() {
        let output = create(cluster, &pod("table", name, &spec));
        let right = match verdict {
            None => output.success(),
            Some(part) => !output.success() && output.stderr.contains(POLICY) && output.stderr.contains(part),
        };
        if !right {
            wrong.push(format!("{name}, expected {verdict:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refusal_names_the_container_and_what_to_write() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "words");
    let two = json!({"containers": [{"name": "web", "image": "x"}, {"name": "log", "image": "x"}]});
    let said = create(cluster, &pod("words", "two", &two)).stderr;
    insta::assert_snapshot!(said.trim());
}

#[test]
fn debugging_is_possible_without_raw_packets_and_only_so() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "debugging");
    let good = json!({"capabilities": {"drop": ["ALL"]}});
    create(cluster, &pod("debugging", "web", &with(&good))).ok();
    for (name, security) in [
        ("nothing", json!({})),
        ("raw", json!({"capabilities": {"add": ["NET_RAW"]}})),
        ("back", json!({"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}})),
        ("root", json!({"privileged": true, "capabilities": {"drop": ["ALL"]}})),
    ] {
        let refused = debug(cluster, "debugging", "web", name, &security);
        assert!(
            !refused.success() && refused.stderr.contains(POLICY) && refused.stderr.contains(name),
            "{refused:?}"
        );
    }
    debug(cluster, "debugging", "web", "first", &good).ok();
    debug(cluster, "debugging", "web", "second", &good).ok();
}

#[test]
fn pods_of_before_stay_editable_and_can_be_debugged_by_containers_that_do_no_harm() {
    let Some(cluster) = shared() else { return };
    let [edits, debugging] = OLD;
    let within = format!("--namespace={edits}");
    cluster.kubectl(&["label", "pod/before", "a=b", &within]).ok();
    for finalizers in
        [r#"{"metadata":{"finalizers":["example.com/x"]}}"#, r#"{"metadata":{"finalizers":null}}"#]
    {
        cluster.kubectl(&["patch", "pod/before", &within, "--type=merge", "--patch", finalizers]).ok();
    }
    // Nothing that decides can be changed afterwards, whoever asks.
    let image = json!({"spec": {"containers": [{"name": "main", "securityContext": {"privileged": true}}]}});
    let refused = cluster.kubectl(&["patch", "pod/before", &within, "--patch", &image.to_string()]);
    assert!(!refused.success() && refused.stderr.contains("Forbidden"), "{refused:?}");
    cluster.kubectl(&["delete", "pod/before", &within, "--wait=false"]).ok();
    debug(cluster, debugging, "before", "good", &json!({"capabilities": {"drop": ["ALL"]}})).ok();
    assert!(!debug(cluster, debugging, "before", "bad", &json!({})).success());
}

#[test]
fn the_cluster_s_own_namespaces_podid_s_and_those_that_are_named_are_left_alone() {
    let Some(cluster) = shared() else { return };
    for name in ["podid", "mesh"] {
        namespace(cluster, name);
    }
    let mut worst = with(&json!({"privileged": true}));
    worst["hostNetwork"] = true.into();
    for name in choice().left_alone() {
        create(cluster, &pod(&name, "agent", &worst)).ok();
    }
    namespace(cluster, "podid-2");
    let refused = create(cluster, &pod("podid-2", "agent", &worst));
    assert!(!refused.success() && refused.stderr.contains(POLICY), "{refused:?}");
}

/// The API server checks expressions against the types of what they look at, and says what it finds.
#[test]
fn the_api_server_finds_no_fault_with_the_policies_themselves() {
    let Some(cluster) = shared() else { return };
    let printed = cluster.kubectl(&["get", "validatingadmissionpolicies", "--output=json"]).ok();
    let list: Value = serde_json::from_str(&printed).unwrap();
    let policies = list["items"].as_array().unwrap();
    assert_eq!(policies.len(), 4);
    crate::cluster::eventually("every policy was checked", || {
        let printed = cluster.kubectl(&["get", "validatingadmissionpolicies", "--output=json"]).ok();
        let list: Value = serde_json::from_str(&printed).unwrap();
        let checked = list["items"].as_array().unwrap().iter().filter(|policy| {
            let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
            assert!(warnings.is_null(), "{}: {warnings}", policy["metadata"]["name"]);
            policy["status"]["observedGeneration"].is_number()
        });
        checked.count() == policies.len()
    });
}
