//! Can the plain manifests be applied and removed, and does `podid manifests` print what is asked for?

use std::path::{Path, PathBuf};

use podid_testbed::{ControlPlane, Programs};

use crate::cluster::{podid, podid_as, shared};

/// The committed files that an operator applies, in that order.
const FILES: [&str; 6] = [
    "infra/deployment-rbac.yaml",
    "infra/mic-exception.yaml",
    "infra/secret-access.yaml",
    "policies/assignment-writers.yaml",
    "policies/identity-fields.yaml",
    "demo/demo.yaml",
];
/// What is instead of, or beside, another of them.
const OTHERS: [&str; 10] = [
    "infra/noazurejson/deployment-rbac.yaml",
    "infra/managed-mode-deployment.yaml",
    "demo/aadpodidentity.yaml",
    "demo/aadpodidentity-secret.yaml",
    "demo/aadpodidentity-certificate.yaml",
    "demo/aadpodidentitybinding.yaml",
    "policies/optional/identity-users.yaml",
    "policies/optional/net-raw.yaml",
    "crds/azureidentity.yaml",
    "crds/azureassignedidentity.yaml",
];

fn deploy(file: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    path.to_str().unwrap().to_owned()
}

/// Its own cluster: what is removed here includes the definitions.
#[test]
fn the_committed_files_can_be_applied_and_removed_by_kubectl() {
    let Some(programs) = Programs::find_or_skip("the committed files are applied and removed") else {
        return;
    };
    let cluster = ControlPlane::start(&programs).unwrap();
    let everything = || {
        let kinds = "crd,clusterrole,clusterrolebinding,role,rolebinding,serviceaccount,deployment,daemonset,secret,pod,\
                     validatingadmissionpolicy,validatingadmissionpolicybinding";
        let printed = cluster.kubectl(&["get", kinds, "--all-namespaces", "--output=name"]).ok();
        printed.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let before = everything();
    // Managed mode's three definitions first, by our own command; kubectl goes on from there.
    let admin = cluster.admin_kubeconfig();
    let foreseen = podid_as(&admin, &["crds", "diff", "--managed"]);
    assert_eq!((foreseen.code, foreseen.stdout.matches("--- LIVE/").count()), (Some(1), 3), "{foreseen:?}");
    for dry in [true, false] {
        let arguments =
            ["crds", "apply", "--managed", if dry { "--dry-run=server" } else { "--dry-run=none" }];
        let applied = podid_as(&admin, &arguments).ok();
        assert_eq!(applied.matches(" created").count(), 3, "{applied}");
        assert_eq!(everything().len() - before.len(), if dry { 0 } else { 3 });
    }
    for file in FILES {
        cluster.kubectl(&["apply", "--filename", &deploy(file)]).ok();
        if file.ends_with("rbac.yaml") {
            cluster.kubectl(&["wait", "--for=condition=established", "--timeout=60s", "crd", "--all"]).ok();
        }
    }
    for file in FILES.iter().chain(&OTHERS) {
        let output = cluster.kubectl(&["apply", "--dry-run=server", "--filename", &deploy(file)]);
        assert!(output.success() && !output.stderr.contains("Warning: unknown"), "{file}: {output:?}");
    }
    let again = cluster.kubectl(&["apply", "--filename", &deploy("infra/deployment-rbac.yaml")]).ok();
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
    for file in FILES.iter().rev() {
        let arguments = ["delete", "--timeout=60s", "--filename", &deploy(file)];
        cluster.kubectl(&arguments).ok();
    }
    let left: Vec<_> = everything().difference(&before).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn kustomize_puts_an_image_in() {
    let Some(programs) = Programs::find_or_skip("kustomize puts an image in") else { return };
    let folder = tempfile::tempdir().unwrap();
    // As deploy/README.md shows it; kustomize wants its files below its own folder.
    std::fs::copy(deploy("infra/deployment-rbac.yaml"), folder.path().join("standard.yaml")).unwrap();
    let kustomization = "resources: [standard.yaml]\nimages: [{name: registry.invalid/podid, newName: a.example/podid, newTag: t}]\n";
    std::fs::write(folder.path().join("kustomization.yaml"), kustomization).unwrap();
    let output =
        std::process::Command::new(&programs.kubectl).arg("kustomize").arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.matches("image: a.example/podid:t").count(),
        2,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains("image: registry.invalid"));
}

#[test]
fn the_api_server_accepts_everything_that_podid_prints() {
    let Some(cluster) = shared() else { return };
    let image = "--image=a.example/podid:1";
    for arguments in [
        &["standard", image] as &[&str],
        &["standard", image, "--no-azure-json", "--cluster-wide", "--startup-taint=podid.dev/starting"],
        &["managed", image],
        &["policies"],
        &["exceptions"],
        &["secret-access"],
        &["demo", image],
        &["crds"],
    ] {
        let printed = podid(cluster, &[&["manifests"], arguments].concat());
        let output = cluster.kubectl_with(&["apply", "--dry-run=server", "--filename=-"], &printed);
        assert!(output.success(), "{arguments:?}: {output:?}");
    }
}

/// Arguments, exit code and what is (or, after `!`, is not) printed.
#[test]
fn manifests_are_printed_as_asked_for() {
    let image = "--image=a.example/podid:1";
    let cases: [(&[&str], i32, &[&str]); 13] = [
        (&["standard"], 2, &["podid: no image is given", "cargo xtask image", "--image REGISTRY/podid:TAG"]),
        (&["managed", "--image="], 2, &["podid: no image is given"]),
        (&["demo"], 2, &["podid: no image is given"]),
        (
            &["standard", image],
            0,
            &["--forceNamespaced=true", "image: a.example/podid:1", "azure-json", "!MATCHING", "!NO IMAGE"],
        ),
        (&[image], 0, &["kind: Deployment", "kind: DaemonSet", "namespace: default"]),
        (
            &["standard", image, "--cluster-wide", "-n", "podid"],
            0,
            &["!--forceNamespaced=true", "MATCHING IS CLUSTER-WIDE", "namespace: podid"],
        ),
        (
            &["standard", image, "--no-azure-json"],
            0,
            &["!azure-json", "Fill in the Secret", "name: aadpodidentity-admin-secret"],
        ),
        (&["standard", image, "--cluster-wide", "--namespaced"], 2, &["cannot be used with"]),
        (
            &["managed", image],
            0,
            &["namespace: kube-system", "!kind: Deployment", "--operation-mode=managed"],
        ),
        (
            &["policies", "--assignment-writer=system:serviceaccount:x:y"],
            0,
            &["podid-identity-fields", "'system:serviceaccount:x:y'"],
        ),
        (&["exceptions", "--namespace=podid"], 0, &["name: mic-exception", "namespace: podid"]),
        (&["standard", image, "--startup-taint=a/b"], 0, &["--startup-taint=a/b"]),
        (&["crds"], 0, &["azureassignedidentities.aadpodidentity.k8s.io"]),
    ];
    for (arguments, code, parts) in cases {
        let output = podid_as(Path::new("/nowhere"), &[&["manifests"], arguments].concat());
        assert_eq!(output.code, Some(code), "{output:?}");
        let text = if code == 0 { &output.stdout } else { &output.stderr };
        for part in parts {
            let (part, wanted) = part.strip_prefix('!').map_or((*part, true), |part| (part, false));
            assert_eq!(text.contains(part), wanted, "{arguments:?}: {part}");
        }
    }
}

/// Arguments, exit code and what is (or, after `!`, is not) printed.
#[test]
fn policies_are_printed_as_asked_for() {
    let cases: [(&[&str], i32, &[&str]); 15] = [
        (&["net-raw", "--for=vap"], 0, &["- Deny", "- kube-system\n        - podid\n", "!REFUSES NOTHING"]),
        (&["net-raw", "--for=vap", "--action=Warn"], 0, &["REFUSES NOTHING YET", "- Warn", "!- Deny"]),
        (&["net-raw", "--for=vap", "-n", "default"], 0, &["namespaces kube-system, default."]),
        (
            &["net-raw", "--for=gatekeeper", "--exempt-namespace=mesh,more", "--action=audit"],
            0,
            &[
                "kind: K8sPSPCapabilities",
                "enforcementAction: dryrun",
                "- mesh\n    - more\n",
                "kubectl debug",
            ],
        ),
        (&["net-raw", "--for=azure-policy"], 0, &["{\n", "\"value\": \"Deny\"", "azure-arc", "!#"]),
        (&["net-raw", "--for=azure-policy", "--action=warn"], 0, &["\"value\": \"Audit\"", "\"warn\""]),
        (
            &["net-raw", "--for=psa", "--in-namespace=a,b"],
            0,
            &["/enforce: restricted", "name: a\n", "name: b\n"],
        ),
        (&["net-raw", "--for=psa", "--action=audit"], 0, &["/audit: restricted", "name: NAMESPACE\n"]),
        (
            &["net-raw", "--for=psa", "--in-namespace=podid"],
            2,
            &["podid: namespace podid cannot be restricted"],
        ),
        (&["net-raw", "--for=psa", "--exempt-namespace=a"], 2, &["only the namespaces of --in-namespace"]),
        (&["net-raw", "--for=vap", "--in-namespace=a"], 2, &["--in-namespace is for --for psa only"]),
        (&["net-raw", "--for=vap", "-n", "No_Name"], 2, &["no namespace can have this name"]),
        (&["net-raw"], 2, &["--for <READER>"]),
        (&["bindings"], 0, &["podid-binding-users", "- Deny", "docs/how-to/who-may-grant.md"]),
        (&["bindings", "--action=warn"], 0, &["- Warn", "!- Deny"]),
    ];
    for (arguments, code, parts) in cases {
        let output = podid_as(Path::new("/nowhere"), &[&["policy"], arguments].concat());
        assert_eq!(output.code, Some(code), "{output:?}");
        let text = if code == 0 { &output.stdout } else { &output.stderr };
        for part in parts {
            let (part, wanted) = part.strip_prefix('!').map_or((*part, true), |part| (part, false));
            assert_eq!(text.contains(part), wanted, "{arguments:?}: {part}\n{text}");
        }
    }
}
