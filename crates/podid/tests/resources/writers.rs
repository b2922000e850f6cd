//! Who may write an `AzureAssignedIdentity`?

use podid_core::facts::AssignmentState;
use podid_kube::call::CallError;
use podid_kube::records;
use podid_testbed::{ControlPlane, Output};
use serde_json::{Value, json};

use crate::cluster::{apply, eventually, get, namespace, podid, shared};
use crate::original::{connect, record, wait};

const POLICY: &str = "ValidatingAdmissionPolicy 'podid-assignment-writers'";

/// An assignment of the pod `name`, written by MIC.
fn recorded(cluster: &ControlPlane, namespace: &str, name: &str) {
    let mic = cluster.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap();
    let record = record(cluster, namespace, name);
    wait(async {
        records::create_assignment(&connect(&mic).await, &record).await.unwrap();
    });
}

/// An administrator changes the assignment called `web`.
fn patch(cluster: &ControlPlane, namespace: &str, kind: &str, patch: &Value) -> Output {
    let (namespace, kind, patch) =
        (format!("--namespace={namespace}"), format!("--type={kind}"), patch.to_string());
    cluster.kubectl(&["patch", "azureassignedidentity/web", &namespace, &kind, "--patch", &patch])
}

/// W-53.
#[test]
fn nobody_but_mic_creates_one_not_even_an_administrator() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "creators");
    let record = record(cluster, "creators", "web");
    let error = wait(async {
        let client = connect(&cluster.admin_kubeconfig()).await;
        records::create_assignment(&client, &record).await.unwrap_err()
    });
    let text = error.to_string();
    assert!(matches!(error, CallError::Forbidden { .. }) && text.contains(POLICY), "{text}");
    for part in [
        "podid-testbed may not write AzureAssignedIdentity objects",
        "only system:serviceaccount:default:aad-pod-id-mic-service-account",
        "add it to this policy",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_namesake_of_mic_s_account_in_another_namespace_is_not_mic() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "namesakes");
    let name = "aad-pod-id-mic-service-account";
    cluster.kubectl(&["create", "serviceaccount", name, "--namespace=namesakes"]).ok();
    let account = "--serviceaccount=namesakes:aad-pod-id-mic-service-account";
    let grant = ["create", "clusterrolebinding", "namesake", "--clusterrole=aad-pod-id-mic-role", account];
    cluster.kubectl(&grant).ok();
    let kubeconfig = cluster.kubeconfig_for("namesakes", name).unwrap();
    let record = record(cluster, "namesakes", "web");
    wait(async {
        let client = connect(&kubeconfig).await;
        let refused = records::create_assignment(&client, &record).await.unwrap_err();
        assert!(refused.to_string().contains(POLICY), "{refused}");
    });
}

#[test]
fn nothing_that_decides_is_changed_by_anybody_else() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "changers");
    recorded(cluster, "changers", "web");
    let before = get(cluster, "changers", "azureassignedidentity/web");
    for change in [
        json!({"spec": {"pod": "other"}}),
        json!({"spec": {"nodename": "other"}}),
        json!({"spec": {"azureIdentityRef": {"spec": {"clientID": "other"}}}}),
        // Fields that the definition does not know count, too.
        json!({"spec": {"azureIdentityRef": {"spec": {"fromTheFuture": "x"}}}}),
        json!({"spec": {"azureBindingRef": {"metadata": {"annotations": {"a": "b"}}}}}),
        json!({"spec": null}),
        json!({"status": {"status": "Assigned"}}),
        json!({"status": null}),
        json!({"metadata": {"labels": {"nodename": "other"}}}),
        json!({"metadata": {"labels": null}}),
    ] {
        let output = patch(cluster, "changers", "merge", &change);
        assert!(!output.success() && output.stderr.contains(POLICY), "{change}: {output:?}");
    }
    assert_eq!(get(cluster, "changers", "azureassignedidentity/web")["spec"], before["spec"]);
    let mic = cluster.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap();
    let record = record(cluster, "changers", "web");
    wait(async {
        let client = connect(&mic).await;
        records::mark(&client, &record.id, AssignmentState::Assigned).await.unwrap();
        records::renew_assignment(&client, &record).await.unwrap();
    });
}

#[test]
fn an_administrator_can_clean_up_where_mic_is_gone() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "cleaners");
    recorded(cluster, "cleaners", "web");
    patch(cluster, "cleaners", "merge", &json!({"metadata": {"annotations": {"why": "clean-up"}}})).ok();
    cluster.kubectl(&["delete", "azureassignedidentity/web", "--namespace=cleaners", "--wait=false"]).ok();
    assert!(
        get(cluster, "cleaners", "azureassignedidentity/web")["metadata"]["deletionTimestamp"].is_string()
    );
    patch(cluster, "cleaners", "json", &json!([{"op": "remove", "path": "/metadata/finalizers"}])).ok();
    let left =
        cluster.kubectl(&["get", "azureassignedidentities", "--namespace=cleaners", "--output=name"]).ok();
    assert_eq!(left, "");
}

#[test]
fn a_namespace_with_assignments_goes_when_mic_has_let_go_of_them() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "doomed");
    recorded(cluster, "doomed", "web");
    recorded(cluster, "doomed", "web-2");
    // Without a finalizer it is the namespace controller that removes it.
    let object = "azureassignedidentity/web-2";
    let free = r#"{"metadata":{"finalizers":null}}"#;
    cluster.kubectl(&["patch", object, "--namespace=doomed", "--type=merge", "--patch", free]).ok();
    cluster.kubectl(&["delete", "namespace", "doomed", "--wait=false"]).ok();
    let names =
        || cluster.kubectl(&["get", "azureassignedidentities", "--namespace=doomed", "--output=name"]).stdout;
    eventually("the namespace controller deletes what it may", || {
        names() == "azureassignedidentity.aadpodidentity.k8s.io/web\n"
    });
    let mic = cluster.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap();
    let record = record(cluster, "doomed", "web");
    wait(async {
        let client = connect(&mic).await;
        records::mark(&client, &record.id, AssignmentState::Unassigned).await.unwrap();
        records::delete(&client, &record.id, None).await.unwrap();
    });
    eventually("the namespace is gone", || !cluster.kubectl(&["get", "namespace", "doomed"]).success());
}

#[test]
fn whom_the_operator_names_may_write_as_well() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "migrating");
    let old = "system:serviceaccount:kube-system:aad-pod-identity-mic";
    let account = "--serviceaccount=kube-system:aad-pod-identity-mic";
    let grant = ["create", "clusterrolebinding", "old-mic", "--clusterrole=aad-pod-id-mic-role", account];
    cluster.kubectl(&grant).ok();
    let object = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
        "metadata": {"name": "web", "namespace": "migrating"}, "spec": {"pod": "web"}
    });
    let create = || {
        let arguments = ["create", "--dry-run=server", "--validate=ignore", "--filename=-", "--as", old];
        cluster.kubectl_with(&arguments, &object.to_string())
    };
    assert!(create().stderr.contains(POLICY));
    apply(cluster, "default", &podid(cluster, &["manifests", "policies", "--assignment-writer", old]));
    eventually("the policy knows the other MIC", || create().success());
    recorded(cluster, "migrating", "web");
}

#[test]
fn the_api_server_finds_no_type_error_in_any_policy() {
    let Some(cluster) = shared() else { return };
    let policies = || -> Value {
        let printed = cluster.kubectl(&["get", "validatingadmissionpolicies", "--output=json"]).ok();
        serde_json::from_str(&printed).unwrap()
    };
    eventually("the policies are checked", || {
        let all = policies();
        let items = all["items"].as_array().unwrap();
        items.len() == 4
            && items.iter().all(|item| item["status"]["observedGeneration"] == item["metadata"]["generation"])
    });
    for policy in policies()["items"].as_array().unwrap() {
        let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
        assert!(warnings.is_null(), "{}: {warnings}", policy["metadata"]["name"]);
    }
}
