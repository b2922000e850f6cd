//! Does the chart, written by hand, install the objects that Rust generates?
//!
//! Names and labels differ on purpose: those of the plain manifests are the original's. Everything else
//! has to be the same, or stand in a list here with its reason.

use std::collections::BTreeSet;

use podid_kube::manifests::{self, Action, Form, Install, NetRaw};
use serde_json::Value;

use crate::difference::{Leaves, between, index, leaves};
use crate::helm::{Helm, NAMESPACE, documents};

/// Names in the plain manifests, and in the chart; what contains another comes first.
const NAMES: [(&str, &str); 15] = [
    ("aad-pod-id-mic-service-account", "podid-mic"),
    ("aad-pod-id-nmi-service-account", "podid-nmi"),
    ("aad-pod-id-mic-ownership-role", "podid-mic-ownership"),
    ("aad-pod-id-nmi-secrets-role", "podid-nmi-secrets"),
    ("aad-pod-id-nmi-daemonset-role", "podid-nmi-daemonset"),
    (r#""resourceNames":["nmi"]"#, r#""resourceNames":["podid-nmi"]"#),
    ("aad-pod-id-mic-lock-role", "podid-mic-lock"),
    ("aad-pod-id-mic-binding", "podid-mic"),
    ("aad-pod-id-nmi-binding", "podid-nmi"),
    ("aadpodidentity-admin-secret", "podid-mic"),
    ("aks-addon-exception", "podid-aks-addon"),
    ("aad-pod-id-mic-role", "podid-mic"),
    ("aad-pod-id-nmi-role", "podid-nmi"),
    ("mic-exception", "podid-mic"),
    ("add it to this policy", "add it to policies.assignmentWriters.additional of the chart"),
];

/// Parts of a path that are names and labels, and whatever is below them.
const NAMING: [&str; 4] = ["/metadata/labels", "/spec/selector", "labelSelector", "/metadata/annotations"];

/// `-` the plain manifests have it, `+` the chart has it; and why.
type Intended = (&'static str, &'static str);

const EXCEPTION: [Intended; 3] = [
    (
        "- AzurePodIdentityException podid/podid-mic/spec/podLabels/app \"mic\"",
        "a label of the plain manifests",
    ),
    ("- AzurePodIdentityException podid/podid-mic/spec/podLabels/component \"mic\"", "likewise"),
    (
        "+ AzurePodIdentityException podid/podid-mic/spec/podLabels/app.kubernetes.io/component \"mic\"",
        "the label that the chart's users select by",
    ),
];

const MIC: [Intended; 2] = [
    (
        "- Deployment podid/podid-mic/spec/template/spec/containers/mic/args/--logtostderr",
        "a flag without effect",
    ),
    (
        "+ Deployment podid/podid-mic/spec/template/spec/priorityClassName \"system-cluster-critical\"",
        "a value can change it",
    ),
];

const NMI: [Intended; 1] = [(
    "+ DaemonSet podid/podid-nmi/spec/template/spec/containers/nmi/args/--daemonset-name=podid-nmi",
    "the plain manifests have the name that is the program's default",
)];

/// A flag that both have, written in two ways.
const MANAGED: [Intended; 2] = [
    (
        "- DaemonSet podid/podid-nmi/spec/template/spec/containers/nmi/args/--forceNamespaced",
        "the same, written with its value",
    ),
    ("+ DaemonSet podid/podid-nmi/spec/template/spec/containers/nmi/args/--forceNamespaced=true", "the same"),
];

/// The generated objects under the chart's names, without the definitions.
fn generated(objects: Vec<Value>) -> Leaves {
    let mut renamed = Vec::new();
    for mut object in objects {
        if object["kind"] == "CustomResourceDefinition" {
            continue;
        }
        if let "Deployment" | "DaemonSet" = object["kind"].as_str().unwrap() {
            object["metadata"]["name"] =
                format!("podid-{}", object["metadata"]["name"].as_str().unwrap()).into();
        }
        let mut text = object.to_string();
        for (plain, chart) in NAMES {
            text = text.replace(plain, chart);
        }
        renamed.push(serde_json::from_str(&text).unwrap());
    }
    leaves(&index(renamed))
}

fn without_naming(leaves: Leaves) -> Leaves {
    leaves.into_iter().filter(|(path, _)| !NAMING.iter().any(|part| path.contains(part))).collect()
}

/// Fails with the paths that differ and should not, and with those that should and do not.
fn assert_same(plain: Leaves, chart: Leaves, intended: &[&[Intended]]) {
    let found: BTreeSet<String> =
        between(&without_naming(plain), &without_naming(chart)).into_iter().collect();
    let intended: BTreeSet<String> =
        intended.iter().flat_map(|list| list.iter()).map(|(line, _)| (*line).into()).collect();
    let surprising: Vec<_> = found.difference(&intended).collect();
    let stale: Vec<_> = intended.difference(&found).collect();
    assert!(surprising.is_empty(), "- crates/kube, + charts/podid:\n{surprising:#?}");
    assert!(stale.is_empty(), "these are intended to differ, and do not any more:\n{stale:#?}");
}

fn install() -> Install {
    Install { namespace: NAMESPACE.into(), image: "r.example/podid:1".into(), ..Install::default() }
}

/// A generated file that has no function of its own, for the chart's namespace.
fn file(path: &str) -> Vec<Value> {
    let files = manifests::all().unwrap();
    let text = &files.iter().find(|(name, _)| *name == path).unwrap().1;
    let mut objects = documents(text);
    for object in &mut objects {
        if object["metadata"]["namespace"] == "default" {
            object["metadata"]["namespace"] = NAMESPACE.into();
        }
    }
    objects
}

#[test]
fn standard_mode_is_what_rust_generates() {
    let Some(helm) = Helm::find_or_skip("standard_mode_is_what_rust_generates") else { return };
    let mut plain = install().standard().unwrap();
    plain.extend(file("infra/mic-exception.yaml"));
    plain.extend(install().policies());
    let chart = helm.objects(&["--set=forceNamespaced=false", "--set=podSecurityLabels=false"]);
    assert_same(generated(plain), leaves(&chart), &[&EXCEPTION, &MIC, &NMI]);
}

#[test]
fn what_can_be_chosen_in_both_means_the_same() {
    let Some(helm) = Helm::find_or_skip("what_can_be_chosen_in_both_means_the_same") else { return };
    let install = Install {
        namespaced: true,
        startup_taint: Some("podid.dev/starting".into()),
        assignment_writers: vec!["old".into()],
        ..install()
    };
    let mut plain = install.standard().unwrap();
    plain.extend(file("infra/mic-exception.yaml"));
    plain.extend(install.policies());
    let chart = helm.objects(&[
        "--set=nmi.startupTaint=podid.dev/starting",
        "--set=policies.assignmentWriters.additional={old}",
    ]);
    assert_same(generated(plain), leaves(&chart), &[&EXCEPTION, &MIC, &NMI]);
}

#[test]
fn managed_mode_is_what_rust_generates() {
    let Some(helm) = Helm::find_or_skip("managed_mode_is_what_rust_generates") else { return };
    let chart = helm.objects(&[
        "--set=operationMode=managed",
        "--set=installMICException=false",
        "--set=policies.identityFields.enabled=false",
    ]);
    assert_same(generated(install().managed().unwrap()), leaves(&chart), &[&MANAGED, &NMI]);
}

#[test]
fn the_policies_that_are_off_by_default_are_what_rust_generates() {
    let Some(helm) = Helm::find_or_skip("the_policies_that_are_off_by_default_are_what_rust_generates")
    else {
        return;
    };
    let everything_else = helm.objects(&[]);
    for (action, value) in [(Action::Deny, "Deny"), (Action::Warn, "Warn"), (Action::Audit, "Audit")] {
        let choice =
            NetRaw { podid: NAMESPACE.into(), exempt: vec!["mesh".into()], action, ..NetRaw::default() };
        let mut plain = choice.objects(Form::Admission);
        plain.extend(documents(&manifests::identity_users(action).unwrap()));
        let mut chart = helm.objects(&[
            "--set=policies.netRaw.enabled=true",
            "--set=policies.netRaw.exemptNamespaces={mesh,kube-system}",
            &format!("--set=policies.netRaw.action={value}"),
            "--set=policies.identityUsers.enabled=true",
            &format!("--set=policies.identityUsers.action={value}"),
        ]);
        chart.retain(|name, _| !everything_else.contains_key(name));
        assert_eq!(chart.len(), 8);
        assert_same(generated(plain), leaves(&chart), &[]);
    }
}
