//! Does `podid crds` bring definitions up to date, say what it does, and leave newer ones alone?

use podid_testbed::ControlPlane;
use serde_json::{Value, json};

use crate::cluster::{get, namespace, podid, podid_as, shared};

const EXCEPTIONS: &str = "crd/azurepodidentityexceptions.aadpodidentity.k8s.io";
const LINES: [&str; 4] = [
    "customresourcedefinition.apiextensions.k8s.io/azureidentities.aadpodidentity.k8s.io",
    "customresourcedefinition.apiextensions.k8s.io/azureidentitybindings.aadpodidentity.k8s.io",
    "customresourcedefinition.apiextensions.k8s.io/azureassignedidentities.aadpodidentity.k8s.io",
    "customresourcedefinition.apiextensions.k8s.io/azurepodidentityexceptions.aadpodidentity.k8s.io",
];

fn all(outcome: &str) -> String {
    LINES.map(|line| format!("{line} {outcome}\n")).concat()
}

fn annotate(cluster: &ControlPlane, version: &str) {
    cluster
        .kubectl(&["annotate", "--overwrite", EXCEPTIONS, &format!("podid.dev/crd-version={version}")])
        .ok();
}

/// One test, because its steps follow each other on the cluster's only definitions.
#[test]
fn definitions_are_brought_up_to_date_and_newer_ones_are_left_alone() {
    let Some(cluster) = shared() else { return };
    let admin = cluster.admin_kubeconfig();
    // Those of the original were replaced when the cluster began; nothing is left to do.
    assert_eq!(podid(cluster, &["crds", "apply"]), all("unchanged"));
    let nothing = podid_as(&admin, &["crds", "diff"]);
    assert_eq!((nothing.code, nothing.stdout.as_str(), nothing.stderr.as_str()), (Some(0), "", ""));
    // The original's odd `subresources: {}` enables nothing, and is gone.
    let identities = get(cluster, "default", "crd/azureidentities.aadpodidentity.k8s.io");
    assert_eq!(identities["spec"]["versions"][0]["subresources"], Value::Null);

    // Somebody changed one: diff shows it, a dry run says it, apply undoes it.
    let path = "/spec/versions/0/schema/openAPIV3Schema/description";
    let change = json!([{"op": "replace", "path": path, "value": "changed by hand"}]).to_string();
    cluster.kubectl(&["patch", EXCEPTIONS, "--type=json", "--patch", &change]).ok();
    let diff = podid_as(&admin, &["crds", "diff"]);
    assert_eq!(diff.code, Some(1), "{diff:?}");
    let changed: Vec<_> = diff.stdout.lines().filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(
        changed,
        [
            "--- LIVE/azurepodidentityexceptions.aadpodidentity.k8s.io",
            "+++ MERGED/azurepodidentityexceptions.aadpodidentity.k8s.io",
            "-        description: changed by hand",
            "+        description: Lets pods of this namespace talk to the instance metadata service as their node does.",
        ]
    );
    let dry = podid(cluster, &["crds", "apply", "--dry-run=server"]);
    assert!(dry.ends_with("exceptions.aadpodidentity.k8s.io configured (server dry run)\n"), "{dry}");
    assert_eq!(podid_as(&admin, &["crds", "diff", "--managed"]).code, Some(1), "the dry run changed nothing");
    assert_eq!(
        podid(cluster, &["crds", "apply", "--output=name"]),
        LINES.map(|line| format!("{line}\n")).concat()
    );
    assert_eq!(podid_as(&admin, &["crds", "diff"]).code, Some(0));
    let list: Value =
        serde_json::from_str(&podid(cluster, &["crds", "apply", "--managed", "-o", "json"])).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    assert_eq!(list["items"][0]["kind"], "CustomResourceDefinition");

    // What kubectl applied from the same podid is the same.
    cluster.kubectl_with(&["apply", "--filename=-"], &podid(cluster, &["manifests", "crds"])).ok();
    assert_eq!(podid(cluster, &["crds", "apply"]), all("unchanged"));

    let context = podid_as(&admin, &["crds", "diff", "--context", "other"]);
    assert!(context.code == Some(2) && context.stderr.contains("no usable context"), "{context:?}");

    // A later podid was here.
    annotate(cluster, "99");
    let refused = podid_as(&admin, &["crds", "apply"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains(
            "has version 99 of podid's definitions, this podid has 1; use the newer podid, or --force"
        ),
        "{refused:?}"
    );
    assert_eq!(get(cluster, "default", EXCEPTIONS)["metadata"]["annotations"]["podid.dev/crd-version"], "99");
    let forced = podid(cluster, &["crds", "apply", "--force"]);
    assert!(forced.ends_with("exceptions.aadpodidentity.k8s.io configured\n"), "{forced}");
}

#[test]
fn who_may_not_define_kinds_is_told_who_may() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "nobody");
    cluster.kubectl(&["create", "serviceaccount", "nobody", "--namespace=nobody"]).ok();
    let nobody = cluster.kubeconfig_for("nobody", "nobody").unwrap();
    let apply = podid_as(&nobody, &["crds", "apply"]);
    assert_eq!(apply.code, Some(1));
    assert!(apply.stderr.contains("a cluster administrator may define custom resources"), "{apply:?}");
    // 1 is an answer of diff; an error is more.
    assert_eq!(podid_as(&nobody, &["crds", "diff"]).code, Some(2));
}

#[test]
fn a_cluster_that_cannot_be_asked_is_said_in_one_line() {
    let output = podid_as(std::path::Path::new("/nowhere/config"), &["crds", "diff"]);
    assert_eq!(output.code, Some(2));
    assert_eq!(
        output.stderr,
        "podid: no cluster to talk to: /nowhere/config does not exist; give --kubeconfig FILE or set KUBECONFIG\n"
    );
}

#[test]
fn kubectl_explains_every_kind() {
    let Some(cluster) = shared() else { return };
    for (path, said) in [
        ("azureidentity.spec.resourceID", "az identity show --query id"),
        ("azureidentity.spec.clientPassword.namespace", "the identity's own"),
        ("azureidentitybinding.spec.selector", "aadpodidbinding"),
        ("azureassignedidentity.status.status", "Unassigned"),
        ("azurepodidentityexception.spec.podLabels", "any one of these labels"),
    ] {
        let explained =
            cluster.kubectl(&["explain", path]).ok().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(explained.contains(said), "{path}: {explained}");
    }
}

#[test]
fn the_columns_are_the_originals() {
    let Some(cluster) = shared() else { return };
    for (kind, columns) in [
        ("azureidentities", ["NAME", "TYPE", "CLIENTID", "AGE"].as_slice()),
        ("azureidentitybindings", &["NAME", "AZUREIDENTITY", "SELECTOR", "AGE"]),
        ("azureassignedidentities", &["NAME", "AGE"]),
        ("azurepodidentityexceptions", &["NAME", "AGE"]),
    ] {
        let printed = cluster.kubectl(&["get", kind, "--namespace=stored"]).ok();
        let head: Vec<_> = printed.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(head, columns);
    }
}
