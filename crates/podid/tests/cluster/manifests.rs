//! Can the plain manifests be applied, read about and removed with an ordinary kubectl?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use podid_testbed::ControlPlane;
use serde_json::Value;

use crate::cluster;
use crate::lab::eventually;

/// Comes and goes by itself.
const RESTLESS: [&str; 7] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "pods",
    "replicasets.apps",
    "controllerrevisions.apps",
    "endpointslices.discovery.k8s.io",
];

const KINDS: [&str; 4] =
    ["azureidentities", "azureidentitybindings", "azureassignedidentities", "azurepodidentityexceptions"];

/// Objects of kinds that others define: Cilium, Prometheus' operator, Gatekeeper.
const FOREIGN: [&str; 3] =
    ["cilium/", "monitoring/prometheusrule.yaml", "policies/optional/net-raw.gatekeeper.yaml"];
/// Files of Prometheus, which are no manifests, and one whose name is to be filled in.
const NO_MANIFESTS: [&str; 2] = ["monitoring/alerts", "policies/optional/net-raw.pod-security.yaml"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Every manifest below `deploy/`, by its path there.
fn files() -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![deploy()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                files.insert(path.strip_prefix(deploy()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.retain(|file| !NO_MANIFESTS.iter().any(|path| file.starts_with(path)));
    assert!(files.len() > 10, "{files:?}");
    files
}

fn argument(file: &str) -> String {
    format!("--filename={}", deploy().join(file).display())
}

/// How many of our kinds the API server tells of; a moment after it was told of them.
fn kinds(cluster: &ControlPlane) -> usize {
    let ours = ["api-resources", "--api-group=aadpodidentity.k8s.io", "--output=name"];
    cluster.kubectl(&ours).stdout.lines().count()
}

fn define(cluster: &ControlPlane) {
    cluster.kubectl(&["apply", &argument("crds")]).ok();
    let explained = |kind: &&str| cluster.kubectl(&["explain", &format!("{kind}.spec.metadata")]).success();
    eventually("all kinds are known", || kinds(cluster) == KINDS.len() && KINDS.iter().all(explained));
}

fn undefine(cluster: &ControlPlane) {
    cluster.kubectl(&["delete", &argument("crds"), "--timeout=60s"]).ok();
    eventually("no kind is known", || kinds(cluster) == 0);
}

/// Names of everything that stays by itself, and is not being deleted.
fn inventory(cluster: &ControlPlane) -> BTreeSet<String> {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list,delete", "--output=name"]).ok();
    let kinds: Vec<_> = kinds.lines().filter(|kind| !RESTLESS.contains(kind)).collect();
    let columns = "--output=custom-columns=K:.kind,S:.metadata.namespace,N:.metadata.name";
    let printed =
        cluster.kubectl(&["get", &kinds.join(","), "--all-namespaces", "--no-headers", columns]).ok();
    printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_manifest_is_accepted_applied_and_removed_without_a_trace() {
    let Some(cluster) = cluster("every_manifest_is_accepted_applied_and_removed_without_a_trace") else {
        return;
    };
    let before = inventory(&cluster);
    define(&cluster);
    let defined = inventory(&cluster);
    assert!(defined.len() > before.len());
    let is_foreign = |file: &String| FOREIGN.iter().any(|path| file.starts_with(path));
    let (foreign, ours): (Vec<_>, Vec<_>) = files().into_iter().partition(is_foreign);
    for file in foreign {
        // Only a cluster where they are installed knows their kinds; crates/kube compares the objects with what they say.
        let refused = cluster.kubectl(&["apply", &argument(&file), "--dry-run=server"]);
        assert!(!refused.success() && refused.stderr.contains("no matches for kind"), "{file}");
    }
    for file in ours {
        let file = argument(&file);
        cluster.kubectl(&["apply", &file, "--dry-run=server"]).ok();
        let applied = cluster.kubectl(&["apply", &file]).ok();
        assert!(!applied.is_empty(), "{file} holds nothing");
        if !file.contains("/crds/") {
            cluster.kubectl(&["delete", &file, "--timeout=60s"]).ok();
        }
        // Removing an installation removes the definitions too, where it brought them.
        define(&cluster);
        assert_eq!(inventory(&cluster), defined, "{file}");
    }
    undefine(&cluster);
    assert_eq!(inventory(&cluster), before);
}

/// Paths of the fields below `schema`, but those of the copies in an assignment, which the originals explain.
fn fields(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if field["x-kubernetes-embedded-resource"] != true {
            fields(field, &path, found);
        }
        found.push(path);
    }
}

#[test]
fn kubectl_explains_every_field() {
    let Some(cluster) = cluster("kubectl_explains_every_field") else { return };
    define(&cluster);
    let listed = cluster.kubectl(&["get", "crds", "--output=json"]).ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut paths = Vec::new();
    for definition in listed["items"].as_array().unwrap() {
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap();
        fields(
            &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"],
            &format!("{plural}.spec"),
            &mut paths,
        );
    }
    assert!(paths.contains(&"azureidentities.spec.resourceID".to_owned()), "{paths:?}");
    for path in paths {
        let explained = cluster.kubectl(&["explain", &path]).ok();
        let description =
            explained.split_once("DESCRIPTION:").map(|(_, rest)| rest.trim()).unwrap_or_default();
        assert!(description.len() > 10 && !description.starts_with("<empty>"), "{path}: {explained}");
    }
    undefine(&cluster);
}
