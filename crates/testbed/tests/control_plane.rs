//! Is it a Kubernetes control plane, as far as podid can see?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

use std::path::Path;
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};

use podid_testbed::{ControlPlane, Kubelets, Programs};

/// One for all tests; who stops the API server takes it for itself.
struct Shared {
    cluster: RwLock<ControlPlane>,
    _kubelets: Kubelets,
}

static SHARED: LazyLock<Option<Shared>> = LazyLock::new(|| {
    let programs = Programs::find_or_skip("everything about the control plane")?;
    let cluster = ControlPlane::start(&programs).unwrap();
    let kubelets = cluster.kubelets(&["node-1", "node-2"]).unwrap();
    Some(Shared { cluster: RwLock::new(cluster), _kubelets: kubelets })
});

fn shared() -> Option<RwLockReadGuard<'static, ControlPlane>> {
    let shared = SHARED.as_ref()?;
    Some(shared.cluster.read().unwrap_or_else(PoisonError::into_inner))
}

/// A namespace of a test's own.
fn namespace(cluster: &ControlPlane, name: &str) {
    cluster.kubectl(&["create", "namespace", name]).ok();
}

fn workload(kind: &str, name: &str, more: &str, pod: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  {more}\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec: {{{pod} containers: [{{name: main, image: any}}]}}\n"
    )
}

#[test]
fn deployments_and_daemon_sets_become_ready_and_their_pods_are_gone_with_them() {
    let Some(cluster) = shared() else { return };
    namespace(&cluster, "workloads");
    let on_each_node = workload("DaemonSet", "agent", "", "hostNetwork: true,");
    let three = workload("Deployment", "web", "replicas: 3", "");
    for manifest in [&on_each_node, &three] {
        cluster.kubectl_with(&["apply", "--namespace=workloads", "--filename=-"], manifest).ok();
    }
    for what in ["daemonset/agent", "deployment/web"] {
        cluster.kubectl(&["rollout", "status", what, "--namespace=workloads", "--timeout=60s"]).ok();
    }
    let column = |selector: &str, path: &str| {
        let output = format!("--output=jsonpath={{range .items[*]}}{{{path}}}{{'\\n'}}{{end}}");
        let printed = cluster.kubectl(&["get", "pods", "--namespace=workloads", selector, &output]).ok();
        let mut lines: Vec<_> = printed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(column("--selector=app=agent", ".spec.nodeName"), ["node-1", "node-2"]);
    assert_eq!(column("--selector=app=agent", ".status.podIP"), ["10.240.0.1", "10.240.0.2"]);
    let addresses = column("--selector=app=web", ".status.podIP");
    let apart = addresses.len() == 3 && addresses.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(apart && addresses.iter().all(|address| address.starts_with("10.64.0.")), "{addresses:?}");
    let delete =
        ["delete", "daemonset/agent", "deployment/web", "--namespace=workloads", "--cascade=foreground"];
    cluster.kubectl(&delete).ok();
    assert_eq!(cluster.kubectl(&["get", "pods", "--namespace=workloads", "--output=name"]).ok(), "");
}

#[test]
fn a_pod_that_fits_nowhere_says_why() {
    let Some(cluster) = shared() else { return };
    namespace(&cluster, "nowhere");
    let manifest = workload("Deployment", "web", "replicas: 1", "nodeSelector: {disk: fast},");
    cluster.kubectl_with(&["apply", "--namespace=nowhere", "--filename=-"], &manifest).ok();
    // kubectl waits only for a pod that is there, and only since 1.31 for one that is to come.
    let counted = "--for=jsonpath={.status.unavailableReplicas}=1";
    cluster.kubectl(&["wait", "deployment/web", counted, "--namespace=nowhere", "--timeout=60s"]).ok();
    let unscheduled = ["wait", "pods", "--selector=app=web", "--namespace=nowhere", "--timeout=60s"];
    cluster.kubectl(&[&unscheduled[..], &["--for=condition=PodScheduled=false"]].concat()).ok();
    let told = cluster.kubectl(&["get", "pods", "--namespace=nowhere", "--output=jsonpath={..message}"]).ok();
    assert_eq!(told, "node-1: has no label disk=fast; node-2: has no label disk=fast");
}

#[test]
fn helm_installs_waits_and_uninstalls() {
    let Some(cluster) = shared() else { return };
    let chart = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(chart.path().join(name), content).unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    write("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
    write("templates/web.yaml", &workload("Deployment", "web", "replicas: 2", ""));
    write(
        "templates/before.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: before\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  \
         template: {spec: {restartPolicy: Never, containers: [{name: main, image: any}]}}\n",
    );
    let path = chart.path().to_str().unwrap();
    let at = "--namespace=released";
    cluster.helm(&["install", "web", path, at, "--create-namespace", "--wait", "--timeout=60s"]).ok();
    assert!(cluster.helm(&["list", at, "--output=json"]).ok().contains(r#""status":"deployed""#));
    cluster.helm(&["uninstall", "web", at, "--wait", "--timeout=60s"]).ok();
    assert_eq!(cluster.kubectl(&["get", "deployments", at, "--output=name"]).ok(), "");
}

#[test]
fn an_account_may_what_it_was_granted_and_nothing_else() {
    let Some(cluster) = shared() else { return };
    namespace(&cluster, "rights");
    cluster.kubectl(&["create", "serviceaccount", "reader", "--namespace=rights"]).ok();
    let kubeconfig = cluster.kubeconfig_for("rights", "reader").unwrap();
    let as_reader = format!("--kubeconfig={}", kubeconfig.display());
    let list = |resource: &str| cluster.kubectl(&["get", resource, "--namespace=rights", &as_reader]);
    let refused = list("configmaps");
    assert!(!refused.success() && refused.stderr.contains("Forbidden"), "{refused:?}");
    cluster
        .kubectl(&["create", "role", "reader", "--verb=list", "--resource=configmaps", "--namespace=rights"])
        .ok();
    let bind = ["create", "rolebinding", "reader", "--role=reader", "--serviceaccount=rights:reader"];
    cluster.kubectl(&[&bind[..], &["--namespace=rights"]].concat()).ok();
    assert!(list("configmaps").ok().contains("kube-root-ca.crt"));
    assert!(!list("secrets").success());

    let user = "system:serviceaccount:rights:reader";
    let events = cluster.audit().unwrap();
    let answers: Vec<_> = events
        .iter()
        .filter(|event| event.user == user && event.namespace == "rights")
        .map(|event| (event.verb.as_str(), event.resource.as_str(), event.code))
        .collect();
    assert_eq!(answers, [("list", "configmaps", 403), ("list", "configmaps", 200), ("list", "secrets", 403)]);
}

#[test]
fn an_account_that_does_not_exist_gets_no_token() {
    let Some(cluster) = shared() else { return };
    let error = cluster.kubeconfig_for("default", "nobody").unwrap_err().to_string();
    assert!(error.starts_with("cannot get a token for service account default/nobody: "), "{error}");
    assert!(error.contains("not found"), "{error}");
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let Some(cluster) = shared() else { return };
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cluster.folder()), 0o700);
}

/// They follow each other, because others may not use the API server meanwhile.
#[test]
fn compaction_ends_old_watches_and_a_restart_keeps_objects_and_address() {
    let Some(shared) = SHARED.as_ref() else { return };
    let cluster = shared.cluster.write().unwrap_or_else(PoisonError::into_inner);
    namespace(&cluster, "restart");
    let version = "--output=jsonpath={.metadata.resourceVersion}";
    let old = cluster.kubectl(&["get", "namespace", "restart", version]).ok();
    let watch = format!("/api/v1/namespaces?watch=true&resourceVersion={old}&timeoutSeconds=1");
    assert!(!cluster.kubectl(&["get", "--raw", &watch]).ok().contains("410"));

    cluster.compact().unwrap();
    let told = cluster.kubectl(&["get", "--raw", &watch]);
    assert!(format!("{told:?}").contains("too old resource version"), "{told:?}");

    let url = cluster.url();
    cluster.stop_api_server();
    let down = cluster.kubectl(&["get", "namespaces"]);
    assert!(down.stderr.contains("refused"), "{down:?}");
    cluster.start_api_server().unwrap();
    cluster.start_api_server().unwrap();
    assert_eq!(cluster.url(), url);
    cluster.kubectl(&["get", "namespace", "restart"]).ok();
    // Controllers and kubelets found their way back.
    let manifest = workload("Deployment", "web", "replicas: 1", "");
    cluster.kubectl_with(&["apply", "--namespace=restart", "--filename=-"], &manifest).ok();
    cluster.kubectl(&["rollout", "status", "deployment/web", "--namespace=restart", "--timeout=60s"]).ok();
}
