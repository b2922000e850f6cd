//! Does the real helm install, change and remove the chart on a real API server?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use podid_testbed::{ControlPlane, Programs};

use crate::helm::{IMAGE, NAMESPACE, chart};

const VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart");

/// How long the controllers may take to delete what belonged to a deleted object.
const PATIENCE: Duration = Duration::from_mins(1);

fn start(test: &str) -> Option<ControlPlane> {
    let cluster = ControlPlane::start(&Programs::find_or_skip(test)?).unwrap();
    for namespace in [NAMESPACE, "apps"] {
        cluster.kubectl(&["create", "namespace", namespace]).ok();
    }
    Some(cluster)
}

/// `helm VERB podid CHART` with the image and more arguments; the result is what it prints.
fn helm(cluster: &ControlPlane, verb: &str, arguments: &[&str]) -> String {
    let chart = chart();
    let head = [verb, "podid", chart.to_str().unwrap(), "--namespace", NAMESPACE];
    cluster.helm(&[&head as &[_], &IMAGE, arguments].concat()).ok()
}

/// Every object of the cluster, of every kind that can be listed, but events.
fn objects(cluster: &ControlPlane) -> BTreeSet<String> {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list", "--output=name"]).ok();
    let kinds: Vec<_> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    assert!(kinds.contains(&"configmaps") && kinds.len() > 30, "{kinds:?}");
    let path =
        r#"--output=jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}"#;
    let listed = cluster.kubectl(&["get", &kinds.join(","), "--all-namespaces", path]);
    listed.ok().lines().map(str::to_owned).collect()
}

#[test]
fn installed_changed_and_removed_it_leaves_nothing_but_the_definitions() {
    let Some(cluster) = start("installed_changed_and_removed_it_leaves_nothing_but_the_definitions") else {
        return;
    };
    let _kubelets = cluster.kubelets(&["node-1", "node-2"]).unwrap();
    cluster.kubectl(&["label", "nodes", "--all", "pool=system"]).ok();
    let before = objects(&cluster);

    let told = helm(&cluster, "install", &["--wait", "--timeout=2m"]);
    for word in ["forceNamespaced=false", "rbac.secretNamespaces", "podid crds apply", "kubectl delete crd"] {
        assert!(told.contains(word), "the notes do not say {word}: {told}");
    }
    assert!(!told.contains("have no effect"), "nothing is set: {told}");

    // A values file of the original is a change of nearly everything.
    let original = format!("--values={VALUES}/original.yaml");
    let told = helm(&cluster, "upgrade", &[&original, "--wait", "--timeout=2m"]);
    for value in ["mic.tag", "nmi.micNamespace", "mic.clientQps", "rbac.pspEnabled"] {
        assert!(told.contains(&format!("  {value}: ")), "the notes do not say that {value} has no effect");
    }
    let replicas = [
        "get",
        "deployment",
        "podid-mic",
        "--namespace",
        NAMESPACE,
        "--output=jsonpath={.status.readyReplicas}",
    ];
    assert_eq!(cluster.kubectl(&replicas).ok(), "3");
    assert!(objects(&cluster).contains("AzureIdentity default/second"));

    cluster.helm(&["uninstall", "podid", "--namespace", NAMESPACE, "--wait"]).ok();
    let deadline = Instant::now() + PATIENCE;
    let left = loop {
        let left: Vec<String> = objects(&cluster).difference(&before).cloned().collect();
        if Instant::now() > deadline || left.iter().all(|object| is_definition(object)) {
            break left;
        }
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(left.iter().all(|object| is_definition(object)), "{left:#?}");
    assert_eq!(left.iter().filter(|object| object.starts_with("CustomResourceDefinition")).count(), 4);
}

/// A definition, or what the API server makes of one by itself.
fn is_definition(object: &str) -> bool {
    ["CustomResourceDefinition /", "APIService /"].iter().any(|kind| object.starts_with(kind))
        && object.ends_with("aadpodidentity.k8s.io")
}

#[test]
fn a_values_file_of_the_original_installs_from_nothing() {
    let Some(cluster) = start("a_values_file_of_the_original_installs_from_nothing") else { return };
    let _kubelets = cluster.kubelets(&["node-1", "node-2"]).unwrap();
    cluster.kubectl(&["label", "nodes", "--all", "pool=system"]).ok();
    let original = format!("--values={VALUES}/original.yaml");
    helm(&cluster, "install", &[&original, "--wait", "--timeout=2m"]);
}

#[test]
fn the_api_server_accepts_what_is_rendered_without_a_warning() {
    let Some(cluster) = start("the_api_server_accepts_what_is_rendered_without_a_warning") else { return };
    cluster.kubectl(&["apply", "--server-side", "--filename", chart().join("crds").to_str().unwrap()]).ok();
    for values in ["original.yaml", "everything.yaml", "adminsecret.yaml"] {
        let file = format!("--values={VALUES}/{values}");
        // The Prometheus operator, whose kind that is, is not there.
        let rendered =
            helm(&cluster, "template", &[&file, "--set=monitoring.podMonitor.enabled=false", "--validate"]);
        let applied = cluster.kubectl_with(&["apply", "--dry-run=server", "--filename=-"], &rendered);
        assert!(applied.success() && !applied.stderr.contains("Warning"), "{values}: {applied:?}");
    }
}

#[test]
fn two_releases_in_two_namespaces_stand_side_by_side() {
    let Some(cluster) = start("two_releases_in_two_namespaces_stand_side_by_side") else { return };
    let chart = chart();
    for (release, namespace) in [("one", NAMESPACE), ("two", "apps")] {
        let head = ["install", release, chart.to_str().unwrap(), "--namespace", namespace];
        cluster.helm(&[&head as &[_], &IMAGE].concat()).ok();
    }
}
