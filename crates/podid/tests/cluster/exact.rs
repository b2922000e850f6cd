//! Do MIC and NMI have exactly the rights that they use?

use podid_testbed::ControlPlane;
use serde_json::{Value, json};

use crate::cluster;
use crate::lab::{Lab, eventually};
use crate::rights::{Fit, compare, granted, user};

/// Where the lab puts them.
const SYSTEM: &str = "kube-system";
const MIC: &str = "aad-pod-id-mic-service-account";
const NMI: &str = "aad-pod-id-nmi-service-account";
const NAMESPACE: &str = "exact";
const SECRET_ACCESS: &str = include_str!("../../../../deploy/infra/secret-access.yaml");

fn apply(cluster: &ControlPlane, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.kubectl_with(&["apply", "--namespace", NAMESPACE, "--filename=-"], &list.to_string()).ok();
}

/// An identity and a binding to it, both called `name`.
fn bound(name: &str, spec: &Value) -> [Value; 2] {
    [
        json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"name": name}, "spec": spec}),
        json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": {"name": name},
               "spec": {"azureIdentity": name, "selector": name}}),
    ]
}

/// A pod that only holds a network.
fn pod(name: &str, label: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"aadpodidbinding": label}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "none", "command": ["sleep", "100000"]}],
        },
    })
}

/// What there is to do for the roles: pods with an identity of each source come, ask and go.
fn story(cluster: &ControlPlane, lab: &Lab, mode: &str) {
    cluster.kubectl(&["create", "namespace", NAMESPACE]).ok();
    let in_namespace = ["apply", "--namespace", NAMESPACE, "--filename=-"];
    // It names the account's namespace of a plain installation, which the lab's is not.
    let access = SECRET_ACCESS.replace("namespace: default", &format!("namespace: {SYSTEM}"));
    cluster.kubectl_with(&in_namespace, &access).ok();
    let managed = json!({
        "type": 0, "resourceID": lab.variable("IDENTITY_RESOURCE_ID"), "clientID": lab.variable("IDENTITY_CLIENT_ID"),
    });
    let id = "11111111-2222-3333-4444-555555555555";
    let principal = json!({
        "type": 1, "tenantID": id, "clientID": id, "clientPassword": {"name": "credential", "namespace": NAMESPACE},
    });
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credential"}, "stringData": {"clientSecret": "s"}});
    apply(cluster, &[bound("app", &managed), bound("principal", &principal)].concat());
    apply(cluster, &[secret, pod("app", "app"), pod("principal", "principal"), pod("plain", "")]);
    eventually("a pod gets its token", || lab.ask(NAMESPACE, "app").starts_with("HTTP/1.1 200"));
    let answer = lab.ask(NAMESPACE, "principal");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let answer = lab.ask(NAMESPACE, "plain");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // Entra does not know the principal, which its owner can mend; a pod without a label is nobody's.
    eventually("the owner of the pod is told why it gets nothing", || {
        let events = [
            "get",
            "events",
            "--namespace",
            NAMESPACE,
            "--field-selector=reason=TokenRefused,involvedObject.name=principal",
        ];
        cluster
            .kubectl(&[&events[..], &["--output=jsonpath={.items[*].message}"]].concat())
            .ok()
            .contains("podid explain")
    });
    // In a namespace that is going, too, nothing could be told about the last of them.
    cluster.kubectl(&["delete", "pods", "--all", "--namespace", NAMESPACE, "--timeout=60s"]).ok();
    if mode == "standard" {
        eventually("no record is left", || {
            cluster.kubectl(&["get", "azureassignedidentities", "-A", "--output=name"]).ok().is_empty()
        });
    }
}

fn roles(cluster: &ControlPlane) -> Vec<Value> {
    let kinds = "clusterroles,clusterrolebindings,roles,rolebindings";
    let listed = cluster.kubectl(&["get", kinds, "--all-namespaces", "--output=json"]).ok();
    let mut listed: Value = serde_json::from_str(&listed).unwrap();
    serde_json::from_value(listed["items"].take()).unwrap()
}

fn fit(cluster: &ControlPlane, objects: &[Value], account: &str) -> Fit {
    let rights = granted(objects, SYSTEM, account);
    assert!(rights.len() > 5, "{rights:?}");
    compare(&rights, &cluster.audit().unwrap(), &user(SYSTEM, account))
}

/// Rights that the story does not need, each with the reason why it stands all the same.
const ELSEWHERE: [(&str, &str, &str); 5] = [
    (MIC, "patch events anywhere", "an event that is told again within minutes is counted up"),
    (NMI, "patch events anywhere", "an event that is told again within minutes is counted up"),
    // The lab runs agents without their DaemonSet, so they are not told of one.
    (NMI, "get daemonsets.apps nmi in kube-system", "the agent looks for its own DaemonSet"),
    (NMI, "list daemonsets.apps nmi in kube-system", "the agent looks for its own DaemonSet"),
    (NMI, "watch daemonsets.apps nmi in kube-system", "the agent looks for its own DaemonSet"),
];

fn check(cluster: &ControlPlane, objects: &[Value], account: &str) {
    let Fit { missing, superfluous } = fit(cluster, objects, account);
    let said: Vec<_> = missing.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{account} was refused: {said:?}");
    let excused = |right: &str| ELSEWHERE.iter().any(|(who, what, _)| *who == account && *what == right);
    let unused: Vec<_> =
        superfluous.iter().map(ToString::to_string).filter(|right| !excused(right)).collect();
    assert!(
        unused.is_empty(),
        "{account} never used {unused:?}: take it out of the role, or use it in the story"
    );
}

/// W-02.
#[test]
fn mic_and_nmi_are_refused_nothing_and_use_what_they_were_granted() {
    let Some(cluster) = cluster("mic_and_nmi_are_refused_nothing_and_use_what_they_were_granted") else {
        return;
    };
    for mode in ["standard", "managed"] {
        let lab = Lab::up(&cluster, mode);
        story(&cluster, &lab, mode);
        let objects = roles(&cluster);
        let accounts = if mode == "standard" { vec![MIC, NMI] } else { vec![NMI] };
        for account in accounts {
            check(&cluster, &objects, account);
        }
        cluster.kubectl(&["delete", "namespace", NAMESPACE, "--timeout=60s"]).ok();
        lab.stop();
    }
}
