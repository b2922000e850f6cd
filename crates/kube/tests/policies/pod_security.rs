//! Which level of Pod Security takes `NET_RAW` from pods?

use podid_kube::manifests::{Form, NetRaw};
use serde_json::json;

use crate::cluster::{create, namespace, shared};
use crate::pods::{pod, with};

/// What `restricted` asks for besides.
fn restricted(drop: &str) -> serde_json::Value {
    let mut spec = with(&json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": [drop]}}));
    spec["securityContext"] = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    spec
}

/// The policy of the API server speaks here, too, but after Pod Security.
#[test]
fn only_restricted_does_and_it_wants_all_to_be_dropped() {
    let Some(cluster) = shared() else { return };
    let choice = NetRaw { labelled: vec!["podid".to_owned()], ..NetRaw::default() };
    let labels = choice.objects(Form::PodSecurity)[0]["metadata"]["labels"].clone();
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    namespace(cluster, "levels");
    let level = |level: &str| {
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        cluster.kubectl(&["label", "namespace", "levels", "--overwrite", &label]).ok();
    };
    let says = |drop: &str| create(cluster, &pod("levels", "p", &restricted(drop))).stderr;
    level("baseline");
    let kept = create(cluster, &pod("levels", "kept", &with(&json!({})))).stderr;
    assert!(!kept.contains("PodSecurity"), "{kept}");
    level("restricted");
    let kept = says("NET_RAW");
    assert!(kept.contains("must set securityContext.capabilities.drop=[\"ALL\"]"), "{kept}");
    assert_eq!(says("ALL"), "");
}
