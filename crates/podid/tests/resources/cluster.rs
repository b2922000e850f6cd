//! How does a cluster of aad-pod-identity become one of podid?

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use podid_kube::manifests::{Install, Part};
use podid_testbed::{ControlPlane, Output, Programs};
use serde_json::{Value, json};

/// Namespace of what was stored before there were rules.
pub(crate) const STORED: &str = "stored";
/// MIC's service account as the API server calls it.
pub(crate) const MIC: &str = "system:serviceaccount:default:aad-pod-id-mic-service-account";
/// What needs a bearer's own rights and is no workload.
const RIGHTS: [&str; 5] = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);

static SHARED: LazyLock<Option<ControlPlane>> = LazyLock::new(|| {
    let programs = Programs::find_or_skip("custom resources, policies and definitions")?;
    let cluster = ControlPlane::start(&programs).unwrap();
    apply(&cluster, "default", include_str!("original/definitions.yaml"));
    for crd in
        ["azureidentities", "azureidentitybindings", "azureassignedidentities", "azurepodidentityexceptions"]
    {
        let crd = format!("crd/{crd}.aadpodidentity.k8s.io");
        cluster.kubectl(&["wait", "--for=condition=established", "--timeout=60s", &crd]).ok();
    }
    namespace(&cluster, STORED);
    for objects in [
        include_str!("original/objects.yaml"),
        include_str!("original/assignments.yaml"),
        include_str!("original/bad.yaml"),
    ] {
        apply(&cluster, STORED, objects);
    }
    let upgraded = podid(&cluster, &["crds", "apply"]);
    assert_eq!(upgraded.matches(" configured\n").count(), 4, "{upgraded}");
    let install = Install::default();
    let rights: Vec<_> = install.standard().unwrap().into_iter().filter(is_right).collect();
    apply(&cluster, "default", &json!({"apiVersion": "v1", "kind": "List", "items": rights}).to_string());
    apply(&cluster, "default", &podid(&cluster, &["manifests", "policies"]));
    until_policies_hold(&cluster, &install);
    Some(cluster)
});

/// The control plane of all tests; none where its programs are missing, which was said then.
pub(crate) fn shared() -> Option<&'static ControlPlane> {
    SHARED.as_ref()
}

fn is_right(object: &Value) -> bool {
    RIGHTS.iter().any(|kind| object["kind"] == *kind)
}

/// Every policy refuses or warns: the API server learns of a policy a moment after it was written.
fn until_policies_hold(cluster: &ControlPlane, install: &Install) {
    let refuses = |kind: &str| {
        let object = json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind, "metadata": {"name": "probe", "namespace": "default"}});
        let output =
            cluster.kubectl_with(&["create", "--dry-run=server", "--filename=-"], &object.to_string());
        output.stderr.contains("ValidatingAdmissionPolicy")
    };
    for kind in
        ["AzureIdentity", "AzureIdentityBinding", "AzurePodIdentityException", "AzureAssignedIdentity"]
    {
        eventually(&format!("the policy for {kind} holds"), || refuses(kind));
    }
    let bindings = install.objects(Part::Policies).unwrap();
    let expected =
        bindings.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding").count();
    let found = cluster.kubectl(&["get", "validatingadmissionpolicybindings", "--output=name"]).ok();
    assert_eq!(found.lines().count(), expected, "{found}");
    let mut attempt = 0;
    eventually("a policy warns about updates", || {
        attempt += 1;
        let value = format!("probe={attempt}");
        let label = ["label", "azureidentity/nothing-in-it", "--namespace=stored", "--overwrite", &value];
        cluster.kubectl(&label).stderr.contains("Warning")
    });
}

/// Creates a namespace for one test.
pub(crate) fn namespace(cluster: &ControlPlane, name: &str) {
    cluster.kubectl(&["create", "namespace", name]).ok();
}

/// Creates objects in a namespace as a client does that leaves the schema to the server.
pub(crate) fn apply(cluster: &ControlPlane, namespace: &str, objects: &str) {
    let namespace = format!("--namespace={namespace}");
    cluster.kubectl_with(&["apply", "--validate=ignore", &namespace, "--filename=-"], objects).ok();
}

/// What podid prints, which must succeed.
pub(crate) fn podid(cluster: &ControlPlane, arguments: &[&str]) -> String {
    podid_as(&cluster.admin_kubeconfig(), arguments).ok()
}

/// Runs podid for a user.
pub(crate) fn podid_as(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_podid"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output {
        command: format!("podid {}", arguments.join(" ")),
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Waits for something to come true.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An object as JSON.
pub(crate) fn get(cluster: &ControlPlane, namespace: &str, object: &str) -> Value {
    let namespace = format!("--namespace={namespace}");
    let printed =
        cluster.kubectl(&["get", object, &namespace, "--output=json", "--show-managed-fields"]).ok();
    serde_json::from_str(&printed).unwrap()
}
