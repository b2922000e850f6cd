//! Does the audit find each fault in a cluster on a real API server, and nothing where there is none?
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use podid_audit::cluster::{self, Picture};
use podid_audit::{Keep, Outcome, Report, Run, Selection, rules};
use podid_kube::client::connect_as_kubectl;
use podid_kube::manifests::{Action, Install, Part, identity_users};
use podid_testbed::{ControlPlane, Programs};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);
const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";

fn audit(cluster: &ControlPlane) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let census = runtime.block_on(async {
        let client = connect_as_kubectl(Some(&cluster.admin_kubeconfig()), None, "test").await.unwrap();
        cluster::look(&client).await.unwrap()
    });
    let picture = Picture::from(census);
    let selection = Selection::default();
    let mut report = Report::default();
    cluster::audit(&picture, &Run::new(rules::LIVE, &selection, &picture, Keep::Problem), &mut report);
    report
}

/// What is wrong, as `RULE TARGET`.
fn faults(cluster: &ControlPlane) -> BTreeSet<String> {
    let report = audit(cluster);
    assert!(report.is_complete(), "{:?}", report.unread);
    assert!(report.count(Outcome::Pass) > 0);
    report.records.iter().map(|record| format!("{} {}", record.rule.name, record.subject.name)).collect()
}

fn apply(cluster: &ControlPlane, objects: &str) {
    cluster.kubectl_with(&["apply", "--validate=ignore", "--filename=-"], objects).ok();
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn namespace(cluster: &ControlPlane, name: &str) {
    cluster.kubectl(&["create", "namespace", name]).ok();
    let account = ["get", "serviceaccount", "default", "--namespace", name];
    eventually("a namespace has its service account", || cluster.kubectl(&account).success());
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec
    })
}

fn identity(name: &str) -> Value {
    object("AzureIdentity", "shop", name, &json!({"type": 0, "resourceID": RESOURCE, "clientID": "c"}))
}

fn binding(namespace: &str, name: &str, identity: &str, selector: &str) -> Value {
    let spec = json!({"azureIdentity": identity, "selector": selector});
    object("AzureIdentityBinding", namespace, name, &spec)
}

fn pod(name: &str, labels: &Value, change: &Value) -> Value {
    let mut spec = json!({
        "containers": [{"name": "main", "image": "x", "securityContext": {"capabilities": {"drop": ["ALL"]}}}]
    });
    spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": spec})
}

fn grant(name: &str, resource: &str) -> [Value; 2] {
    let (version, metadata) = ("rbac.authorization.k8s.io/v1", json!({"name": name, "namespace": "shop"}));
    let rule = json!({"apiGroups": ["aadpodidentity.k8s.io"], "resources": [resource], "verbs": ["create"]});
    [
        json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]}),
        json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
            "subjects": [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        }),
    ]
}

/// podid, an identity, its binding and its pod: nothing is wrong.
fn install(cluster: &ControlPlane) {
    for name in ["podid", "shop", "bank"] {
        namespace(cluster, name);
    }
    apply(cluster, &Install::default().render(Part::Crds).unwrap());
    for kind in
        ["azureidentities", "azureidentitybindings", "azurepodidentityexceptions", "azureassignedidentities"]
    {
        let kind = format!("crd/{kind}.aadpodidentity.k8s.io");
        cluster.kubectl(&["wait", "--for=condition=established", "--timeout=60s", &kind]).ok();
    }
    let install = Install {
        namespace: "podid".into(),
        image: "r.example/podid:1".into(),
        namespaced: true,
        ..Install::default()
    };
    apply(cluster, &install.render(Part::Standard).unwrap());
    cluster.kubectl(&["rollout", "status", "daemonset/nmi", "--namespace=podid", "--timeout=60s"]).ok();
    for one in [
        identity("shop"),
        binding("shop", "shop", "shop", "web"),
        pod("web", &json!({"aadpodidbinding": "web"}), &json!({})),
    ] {
        apply(cluster, &one.to_string());
    }
}

#[test]
fn each_fault_is_found_and_where_there_is_none_nothing_is() {
    let Some(programs) = Programs::find_or_skip("an audit of a real API server") else { return };
    let cluster = ControlPlane::start(&programs).unwrap();
    let kubelets = cluster.kubelets(&["node-1"]).unwrap();
    install(&cluster);
    assert_eq!(faults(&cluster), BTreeSet::new());

    let secret =
        json!({"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": "gone"}});
    let principal = object("AzureIdentity", "shop", "principal", &secret);
    let broken = object("AzureIdentity", "shop", "broken", &json!({"type": 0, "resourceID": RESOURCE}));
    let wide = object("AzurePodIdentityException", "shop", "wide", &json!({"podLabels": {"app": "bound"}}));
    let bound = pod("bound", &json!({"app": "bound", "aadpodidbinding": "web"}), &json!({}));
    let raw = pod("raw", &json!({}), &json!({"containers": [{"name": "main", "image": "x"}]}));
    let host = pod("host", &json!({}), &json!({"hostNetwork": true}));
    let labels = json!({"aadpodidbinding": "web", "azure.workload.identity/use": "true"});
    let plants: [(&[Value], &[&str]); 9] = [
        (&[identity("idle")], &["Podid.Identity.Unused shop/idle"]),
        (&[binding("shop", "lost", "nobody", "web")], &["Podid.Binding.Identity shop/lost"]),
        (&[binding("shop", "deaf", "shop", "nothing")], &["Podid.Binding.Unused shop/deaf"]),
        (
            &[principal, binding("shop", "principal", "principal", "web")],
            &["Podid.Identity.Secret shop/principal"],
        ),
        (&[broken, binding("shop", "broken", "broken", "web")], &["Podid.Identity.Valid shop/broken"]),
        (&[wide, bound], &["Podid.Exception.Broad shop/wide", "Podid.Pod.NodeIdentity shop/bound"]),
        (&[raw], &["Podid.Pod.NetRaw shop/raw"]),
        (&[host], &["Podid.Pod.HostNetwork shop/host"]),
        (&[pod("both", &labels, &json!({}))], &["Podid.Pod.WorkloadIdentity shop/both"]),
    ];
    let mut expected = BTreeSet::new();
    for (objects, found) in plants {
        for one in objects {
            apply(&cluster, &one.to_string());
        }
        expected.extend(found.iter().map(|&fault| fault.to_owned()));
        assert_eq!(faults(&cluster), expected, "{found:?}");
    }
    for (name, resource) in [("ann", "azureidentitybindings"), ("bob", "azurepodidentityexceptions")] {
        for one in grant(name, resource) {
            apply(&cluster, &one.to_string());
        }
    }
    expected
        .extend(["Podid.Access.Grants User ann".to_owned(), "Podid.Access.Exceptions User bob".to_owned()]);
    assert_eq!(faults(&cluster), expected);
    // The policies ask for more than RBAC's word.
    apply(&cluster, &identity_users(Action::Deny).unwrap());
    expected.retain(|fault| !fault.starts_with("Podid.Access."));
    assert_eq!(faults(&cluster), expected);

    let crd = "crd/azureidentities.aadpodidentity.k8s.io";
    cluster
        .kubectl(&["annotate", crd, "--overwrite", &format!("{}-", podid_kube::crd::REVISION_ANNOTATION)])
        .ok();
    expected.insert("Podid.Definition.Current azureidentities.aadpodidentity.k8s.io".to_owned());
    assert_eq!(faults(&cluster), expected);

    cluster
        .kubectl(&["set", "image", "daemonset/nmi", "nmi=r.example/podid:0.0.1", "--namespace=podid"])
        .ok();
    expected.insert("Podid.Agent.Version DaemonSet podid/nmi".to_owned());
    cluster.kubectl(&["rollout", "status", "daemonset/nmi", "--namespace=podid", "--timeout=60s"]).ok();
    assert_eq!(faults(&cluster), expected);

    let patch = r#"{"spec": {"template": {"spec": {"nodeSelector": {"no": "such"}}}}}"#;
    cluster.kubectl(&["patch", "daemonset/nmi", "--namespace=podid", "--patch", patch]).ok();
    eventually("the agent is gone", || {
        cluster
            .kubectl(&["get", "pods", "--namespace=podid", "-l", "component=nmi", "-o", "name"])
            .ok()
            .is_empty()
    });
    expected.insert("Podid.Node.Agent node-1".to_owned());
    assert_eq!(faults(&cluster), expected);

    // The original comes back, and matches across namespaces.
    let original = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "nmi", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"component": "nmi"}},
            "template": {
                "metadata": {"labels": {"component": "nmi"}},
                "spec": {"nodeSelector": {"no": "such"}, "containers": [
                    {"name": "nmi", "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/nmi:v1.8.17"}
                ]}
            }
        }
    });
    apply(&cluster, &original.to_string());
    apply(&cluster, &binding("bank", "other", "nobody", "nothing").to_string());
    for fault in [
        "Podid.Original.Leftover DaemonSet default/nmi",
        "Podid.Binding.SharedSelector bank/other",
        "Podid.Binding.SharedSelector shop/deaf",
        "Podid.Binding.Identity bank/other",
        "Podid.Binding.Unused bank/other",
    ] {
        expected.insert(fault.to_owned());
    }
    assert_eq!(faults(&cluster), expected);
    let asked: BTreeSet<&str> = expected.iter().filter_map(|fault| fault.split(' ').next()).collect();
    let silent: Vec<_> =
        rules::LIVE.iter().map(|rule| rule.about.name).filter(|name| !asked.contains(name)).collect();
    assert_eq!(silent, ["Podid.Access.Grants", "Podid.Access.Exceptions"], "their faults were mended above");
    drop(kubelets);
}

/// Whoever may see only a part is told what was not seen, and the rest is judged.
#[test]
fn what_may_not_be_read_is_named_and_the_rest_is_judged() {
    let Some(programs) = Programs::find_or_skip("an audit by somebody with few rights") else { return };
    let cluster = ControlPlane::start(&programs).unwrap();
    for name in ["shop", "people"] {
        namespace(&cluster, name);
    }
    apply(&cluster, &Install::default().render(Part::Crds).unwrap());
    cluster.kubectl(&["wait", "--for=condition=established", "--timeout=60s", "crd", "--all"]).ok();
    apply(&cluster, &identity("idle").to_string());
    let role = "--resource=azureidentities.aadpodidentity.k8s.io,azureidentitybindings.aadpodidentity.k8s.io";
    cluster.kubectl(&["create", "clusterrole", "looker", "--verb=list", role]).ok();
    cluster
        .kubectl(&[
            "create",
            "clusterrolebinding",
            "looker",
            "--clusterrole=looker",
            "--serviceaccount=people:default",
        ])
        .ok();
    let kubeconfig = cluster.kubeconfig_for("people", "default").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let census = runtime.block_on(async {
        let client = connect_as_kubectl(Some(&kubeconfig), None, "test").await.unwrap();
        cluster::look(&client).await.unwrap()
    });
    let picture = Picture::from(census);
    let (selection, mut report) = (Selection::default(), Report::default());
    cluster::audit(&picture, &Run::new(rules::LIVE, &selection, &picture, Keep::Problem), &mut report);
    let found: Vec<_> = report.records.iter().map(|record| record.rule.name).collect();
    assert_eq!(found, ["Podid.Identity.Unused"]);
    let unread: Vec<&str> = report.unread.iter().map(|one| one.what.as_str()).collect();
    for what in ["list pods", "list nodes", "list definitions", "list clusterroles"] {
        assert!(unread.contains(&what), "{what}: {unread:?}");
    }
    assert!(!report.is_complete());
}
