//! Is what cannot work refused when it is written, and does what was stored before the rules stay editable?

use podid_testbed::{ControlPlane, Output};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{STORED, get, namespace, shared};

/// A row of `invalid.yaml`.
#[derive(Deserialize)]
struct Invalid {
    name: String,
    kind: String,
    #[serde(default)]
    spec: Option<Value>,
    message: String,
}

/// Old objects, and an edit of each that its schema has nothing against.
const OLD: [(&str, &str); 6] = [
    ("azureidentity/bad-resource-id", r#"{"spec":{"clientID":"d"}}"#),
    ("azureidentity/bad-type", r#"{"spec":{"clientID":"d"}}"#),
    ("azureidentity/nothing-in-it", r#"{"spec":{"clientID":"d"}}"#),
    ("azureidentity/secret-elsewhere", r#"{"spec":{"clientID":"d"}}"#),
    ("azureidentitybinding/empty-selector", r#"{"spec":{"azureIdentity":"b"}}"#),
    ("azurepodidentityexception/no-labels", r#"{"spec":{"metadata":{}}}"#),
];

fn table() -> Vec<Invalid> {
    serde_saphyr::from_str(include_str!("invalid.yaml")).unwrap()
}

fn object(kind: &str, name: &str, namespace: &str, spec: Option<&Value>) -> String {
    let metadata = json!({"name": name, "namespace": namespace});
    let mut object = json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "metadata": metadata});
    if let Some(spec) = spec {
        object["spec"] = spec.clone();
    }
    object.to_string()
}

fn create(cluster: &ControlPlane, object: &str) -> Output {
    cluster.kubectl_with(&["create", "--validate=ignore", "--filename=-"], object)
}

fn edit(cluster: &ControlPlane, arguments: &[&str]) -> Output {
    let stored = format!("--namespace={STORED}");
    cluster.kubectl(&[arguments, &[&*stored]].concat())
}

/// W-34.
#[test]
fn every_invalid_object_is_refused_with_words_that_say_what_to_write() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "invalid");
    let table = table();
    assert!(table.len() >= 20);
    let mut wrong = Vec::new();
    for row in &table {
        let output = create(cluster, &object(&row.kind, "invalid", "invalid", row.spec.as_ref()));
        if output.success() || !output.stderr.contains(&row.message) {
            wrong.push(format!(
                "{}:\n  expected {}\n  got      {}{}",
                row.name, row.message, output.stdout, output.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_typo_is_refused_by_kubectl_before_anything_is_lost() {
    let Some(cluster) = shared() else { return };
    let binding = object(
        "AzureIdentityBinding",
        "typo",
        "default",
        Some(&json!({"azureIdentiy": "a", "selector": "s"})),
    );
    let output = cluster.kubectl_with(&["create", "--filename=-"], &binding);
    assert!(
        !output.success() && output.stderr.contains(r#"unknown field "spec.azureIdentiy""#),
        "{output:?}"
    );
}

#[test]
fn what_breaks_a_good_object_is_warned_about_and_passes_unless_a_field_by_itself_is_wrong() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "updates");
    let resource =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a";
    let good = json!({"resourceID": resource, "clientID": "c"});
    let created = create(cluster, &object("AzureIdentity", "good", "updates", Some(&good)));
    assert!(created.success() && created.stderr.is_empty(), "{created:?}");
    let patch = |patch: &str| {
        cluster.kubectl(&[
            "patch",
            "azureidentity/good",
            "--namespace=updates",
            "--type=merge",
            "--patch",
            patch,
        ])
    };
    let warned = patch(r#"{"spec":{"clientID":""}}"#);
    assert!(warned.success(), "{warned:?}");
    assert!(
        warned.stderr.contains("Warning: ") && warned.stderr.contains("spec.clientID is missing"),
        "{warned:?}"
    );
    let refused = patch(r#"{"spec":{"resourceID":"x"}}"#);
    assert!(!refused.success() && refused.stderr.contains("must be /subscriptions/"), "{refused:?}");
    let mended = patch(r#"{"spec":{"clientID":"c"}}"#);
    assert!(mended.success() && mended.stderr.is_empty(), "{mended:?}");
}

#[test]
fn old_objects_stay_editable_field_by_field_and_can_be_deleted() {
    let Some(cluster) = shared() else { return };
    for (object, other_field) in OLD {
        edit(cluster, &["label", object, "a=b"]).ok();
        edit(cluster, &["annotate", object, "a=b"]).ok();
        for finalizers in
            [r#"{"metadata":{"finalizers":["example.com/x"]}}"#, r#"{"metadata":{"finalizers":null}}"#]
        {
            edit(cluster, &["patch", object, "--type=merge", "--patch", finalizers]).ok();
        }
        let as_it_is = get(cluster, STORED, object).to_string();
        cluster.kubectl_with(&["replace", "--filename=-"], &as_it_is).ok();
        edit(cluster, &["patch", object, "--type=merge", "--patch", other_field]).ok();
        edit(cluster, &["delete", object, "--timeout=30s"]).ok();
    }
}

#[test]
fn what_goes_away_is_not_warned_about() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "leaving");
    let good = json!({"azureIdentity": "a", "selector": "s"});
    create(cluster, &object("AzureIdentityBinding", "b", "leaving", Some(&good))).ok();
    let patch = |patch: &str| {
        cluster.kubectl(&[
            "patch",
            "azureidentitybinding/b",
            "--namespace=leaving",
            "--type=merge",
            "--patch",
            patch,
        ])
    };
    let warned = patch(r#"{"metadata":{"finalizers":["example.com/x"]},"spec":{"azureIdentity":""}}"#);
    assert!(warned.success() && warned.stderr.contains("spec.azureIdentity is missing"), "{warned:?}");
    cluster.kubectl(&["delete", "azureidentitybinding/b", "--namespace=leaving", "--wait=false"]).ok();
    let last = patch(r#"{"metadata":{"finalizers":null}}"#);
    assert!(last.success() && last.stderr.is_empty(), "{last:?}");
}
