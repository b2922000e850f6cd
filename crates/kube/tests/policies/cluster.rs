//! A control plane with the definitions and the policies.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use podid_kube::manifests::{Action, Form, Install, NetRaw, Part, identity_users};
use podid_testbed::{ControlPlane, Output, Programs};
use serde_json::{Value, json};

/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);

/// Namespaces with a pod that was there before there were policies, one for each test that needs it.
pub(crate) const OLD: [&str; 2] = ["old-edits", "old-debugging"];

static SHARED: LazyLock<Option<ControlPlane>> = LazyLock::new(|| {
    let programs = Programs::find_or_skip("policies that are off by default")?;
    let cluster = ControlPlane::start(&programs).unwrap();
    apply(&cluster, &Install::default().render(Part::Crds).unwrap());
    for kind in ["azureidentities", "azureidentitybindings", "azurepodidentityexceptions"] {
        let kind = format!("crd/{kind}.aadpodidentity.k8s.io");
        cluster.kubectl(&["wait", "--for=condition=established", "--timeout=60s", &kind]).ok();
    }
    for name in OLD {
        namespace(&cluster, name);
        create(
            &cluster,
            &crate::pods::pod(name, "before", &json!({"containers": [{"name": "main", "image": "x"}]})),
        )
        .ok();
    }
    apply(&cluster, &choice().render(Form::Admission).unwrap());
    apply(&cluster, &identity_users(Action::Deny).unwrap());
    namespace(&cluster, "probe");
    let says = |object: &Value, policy: &str| {
        cluster
            .kubectl_with(&["create", "--dry-run=server", "--filename=-"], &object.to_string())
            .stderr
            .contains(policy)
    };
    let bad = crate::pods::pod("probe", "probe", &json!({"containers": [{"name": "main", "image": "x"}]}));
    eventually("the policy on pods holds", || says(&bad, "podid-net-raw"));
    crate::users::until_policies_hold(&cluster);
    Some(cluster)
});

/// What is chosen in these tests.
pub(crate) fn choice() -> NetRaw {
    NetRaw { exempt: vec!["mesh".to_owned()], ..NetRaw::default() }
}

/// The control plane of all tests; none where its programs are missing, which was said then.
pub(crate) fn shared() -> Option<&'static ControlPlane> {
    SHARED.as_ref()
}

/// Creates a namespace and waits for its service account, without which no pod is accepted.
pub(crate) fn namespace(cluster: &ControlPlane, name: &str) {
    cluster.kubectl(&["create", "namespace", name]).ok();
    let account = ["get", "serviceaccount", "default", "--namespace", name];
    eventually("a namespace has its service account", || cluster.kubectl(&account).success());
}

/// Creates an object as an administrator.
pub(crate) fn create(cluster: &ControlPlane, object: &Value) -> Output {
    cluster.kubectl_with(&["create", "--filename=-"], &object.to_string())
}

fn apply(cluster: &ControlPlane, objects: &str) {
    cluster.kubectl_with(&["apply", "--filename=-"], objects).ok();
}

/// Waits for something to come true.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
