//! Does `podid adopt check` list what was planted, all of it and nothing else, and write nothing?

use std::path::Path;
use std::process::{Command, Output};

use podid_core::adopt::Code;
use serde_json::{Value, json};

use crate::original::{Way, namespace, object, pod, record};
use crate::page::PAGE;
use crate::{Cluster, eventually};

const RESOURCE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn check(kubeconfig: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
    command.args(["adopt", "check", "--kubeconfig"]).arg(kubeconfig).args(arguments).output().unwrap()
}

/// Exit code, and level, code and object of each finding.
fn found(kubeconfig: &Path, arguments: &[&str]) -> (i32, Vec<String>, Value) {
    let output = check(kubeconfig, &[arguments, &["--output=json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let lines = report["findings"].as_array().unwrap().iter().map(|finding| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &finding["object"];
        let (level, code) = (text(&finding["level"]), text(&finding["code"]));
        format!(
            "{level} {code} {} {}/{}",
            text(&object["kind"]),
            text(&object["namespace"]),
            text(&object["name"])
        )
    });
    (output.status.code().unwrap(), lines.collect(), report)
}

fn binding(namespace: &str, name: &str, selector: &str) -> Value {
    object("AzureIdentityBinding", namespace, name, &json!({"azureIdentity": name, "selector": selector}))
}

/// What works the same with podid: an identity, its binding, a pod and its record.
fn plant_the_ordinary(cluster: &Cluster) -> [Value; 2] {
    let identity = object("AzureIdentity", "shop", "app", &json!({"resourceID": RESOURCE, "clientID": "c"}));
    cluster.apply(&[
        namespace("shop"),
        namespace("api"),
        namespace("vault"),
        identity,
        binding("shop", "app", "web"),
    ]);
    let live =
        ["azureidentity", "azureidentitybinding"].map(|kind| cluster.get(&[kind, "app", "--namespace=shop"]));
    let web = pod("shop", "web-1", "web", "node-1");
    cluster.apply(&[web.clone(), record(&web, "node-1", &live[0], &live[1])]);
    live
}

fn plant_the_odd(cluster: &Cluster, live: &[Value; 2]) {
    let principal = |changes: Value| {
        let mut spec = json!({
            "type": 1, "clientID": "c", "tenantID": TENANT,
            "clientPassword": {"name": "credential", "namespace": "vault"}
        });
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    };
    let stuck = |name: &str, change: fn(&mut Value)| {
        let mut odd = record(&pod("shop", name, "web", "node-1"), "node-1", &live[0], &live[1]);
        change(&mut odd);
        odd
    };
    cluster.apply(&[
        pod("api", "across-1", "web", "node-1"),
        object("AzureIdentity", "shop", "bad-id", &json!({"resourceID": "/nonsense", "clientID": "c"})),
        object("AzureIdentity", "shop", "no-client", &json!({"resourceID": RESOURCE})),
        object("AzureIdentity", "shop", "sp", &principal(json!({}))),
        object(
            "AzureIdentity",
            "vault",
            "own-cloud",
            &principal(json!({"adEndpoint": "http://login.example/"})),
        ),
        object("AzureIdentity", "vault", "type-7", &json!({"type": 7, "clientID": "c"})),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credential", "namespace": "vault"},
            "stringData": {"a": "the first", "b": "the second"}
        }),
        binding("shop", "dangling", "x"),
        object("AzurePodIdentityException", "shop", "tool", &json!({"podLabels": {"app": "tool"}})),
        stuck("gone", |_| {}),
        stuck("web-1", |odd| {
            odd["metadata"]["namespace"] = "api".into();
            odd["metadata"]["name"] = "foreign".into();
        }),
        stuck("web-1", |odd| {
            odd["metadata"]["name"] = "unreadable".into();
            odd["status"]["status"] = "assigned".into();
        }),
        stuck("web-1", |odd| {
            odd["metadata"]["name"] = "ancient".into();
            odd["status"]["status"] = "".into();
        }),
    ]);
}

/// What is to be found, in the order in which it is printed.
const PLANTED: [&str; 21] = [
    "changes PA-06 DaemonSet default/nmi",
    "changes PA-07 Deployment default/mic",
    "changes PA-08 Deployment default/mic",
    "changes PA-10 AzureIdentityBinding shop/app",
    "changes PA-20 AzureIdentity shop/bad-id",
    "changes PA-21 AzureIdentity shop/no-client",
    "changes PA-22 AzureIdentity vault/type-7",
    "changes PA-24 AzureIdentity shop/sp",
    "changes PA-25 AzureIdentity shop/sp",
    "changes PA-25 AzureIdentity vault/own-cloud",
    "changes PA-27 Namespace /shop",
    "changes PA-28 AzureIdentity vault/own-cloud",
    "changes PA-30 AzureAssignedIdentity default/unreadable",
    "changes PA-31 AzureAssignedIdentity api/foreign",
    "changes PA-36 AzureAssignedIdentity default/gone-shop-app",
    "note PA-05 DaemonSet default/nmi",
    "note PA-06 DaemonSet default/nmi",
    "note PA-11 AzureIdentityBinding shop/dangling",
    "note PA-34 AzureAssignedIdentity default/ancient",
    "note PA-40 AzurePodIdentityException shop/tool",
    "",
];

#[test]
fn the_check_lists_what_was_planted_and_nothing_else_and_writes_nothing() {
    let Some(cluster) =
        Cluster::start("the_check_lists_what_was_planted_and_nothing_else_and_writes_nothing")
    else {
        return;
    };
    let admin = cluster.plane.admin_kubeconfig();
    assert_eq!(found(&admin, &[]).0, 0, "an empty cluster has nothing to adopt");
    let _kubelets = cluster.plane.kubelets(&["node-1"]).unwrap();
    let live = plant_the_ordinary(&cluster);
    assert_eq!(found(&admin, &[]).1, [""; 0], "an ordinary pod changes nothing");

    cluster.apply(
        &Way::Kubectl.workloads(&["--allow-network-plugin-kubenet=true", "--ipt-update-interval-sec=5"]),
    );
    plant_the_odd(&cluster, &live);
    eventually("the original runs", || {
        let pods = cluster.get(&["pods", "--namespace=default"]);
        pods["items"].as_array().unwrap().iter().filter(|pod| pod["status"]["phase"] == "Running").count()
            == 3
    });
    let asked_before = cluster.plane.audit().unwrap().len();
    let (code, lines, report) = found(&admin, &[]);
    let planted: Vec<&str> = PLANTED.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!((code, lines), (1, planted.iter().map(ToString::to_string).collect()));
    assert_eq!(report["summary"], json!({"blocks": 0, "changes": 15, "notes": 5}));
    assert_eq!(report["unseen"], json!([]));
    assert!(!report.to_string().contains("the first"), "a Secret's value was told");
    let across =
        report["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "PA-10").unwrap();
    assert!(across["change"].as_str().unwrap().contains("api/across-1"), "{across}");
    let asked = cluster.plane.audit().unwrap().into_iter().skip(asked_before);
    let changing = ["create", "update", "patch", "delete", "deletecollection"];
    let by_admin = asked.filter(|event| event.user == "podid-testbed" && changing.contains(&&*event.verb));
    assert_eq!(by_admin.filter(|event| event.group == "aadpodidentity.k8s.io").count(), 0);

    let (_, wide, _) = found(&admin, &["--cluster-wide", "--allowed-authority=login.example"]);
    assert!(!wide.iter().any(|line| line.contains("PA-10")), "{wide:?}");
    let (_, narrow, _) = found(&admin, &["--namespace=vault"]);
    assert!(narrow.iter().any(|line| line.ends_with("vault/type-7")), "{narrow:?}");
    assert!(!narrow.iter().any(|line| line.contains(" shop/")), "{narrow:?}");

    tables(&admin);
    rights(&cluster);
}

/// People read a table, plain in a pipe; the page shows it.
fn tables(admin: &Path) {
    let output = check(admin, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "colour was written into a pipe");
    assert!(text.ends_with("Decide on each change; then docs/how-to/adopt.md.\n"), "{text}");
    if let Ok(path) = std::env::var("PODID_SHOW_SAMPLE") {
        std::fs::write(path, &text).unwrap();
    }
    let yaml = check(admin, &["--output=yaml"]);
    assert!(String::from_utf8(yaml.stdout).unwrap().contains("code: PA-10"));
    for line in text.lines() {
        let sample = PAGE.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert!(sample.contains(line), "the page does not show {line:?}");
    }
}

/// Who may see less is told what was not looked at, and who sees nothing gets another exit code than who finds something.
fn rights(cluster: &Cluster) {
    let grant = [
        "create",
        "clusterrole",
        "narrow",
        "--verb=list",
        "--resource=azureidentities.aadpodidentity.k8s.io",
    ];
    cluster.plane.kubectl(&grant).ok();
    cluster.plane.kubectl(&["create", "serviceaccount", "narrow", "--namespace=api"]).ok();
    let few = cluster.plane.kubeconfig_for("api", "narrow").unwrap();
    let output = check(&few, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    for kind in ["pods", "azureidentities", "azureassignedidentities", "deployments"] {
        assert!(text.contains(&format!("list {kind}: you may not")), "{kind}: {text}");
    }
    let bind =
        ["create", "clusterrolebinding", "narrow", "--clusterrole=narrow", "--serviceaccount=api:narrow"];
    cluster.plane.kubectl(&bind).ok();
    eventually("the right is in force", || {
        let (code, lines, report) = found(&few, &[]);
        code == 1
            && lines.iter().any(|line| line.contains("PA-20"))
            && report["unseen"].to_string().contains("list pods")
    });
    let nowhere = check(Path::new("/nowhere/config"), &[]);
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot read kubeconfig /nowhere/config"));
    assert_eq!(check(&few, &["--output=wide"]).status.code(), Some(2));
    let admin = cluster.plane.admin_kubeconfig();
    let misspelt = check(&admin, &["--namespace=shopp"]);
    assert_eq!(misspelt.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&misspelt.stderr).contains("look at namespace shopp: not found"));
    let part = String::from_utf8(check(&admin, &["--namespace=api"]).stdout).unwrap();
    assert!(part.contains("other namespaces, so what works across") && !part.contains("PA-13"), "{part}");
    cluster.plane.stop_api_server();
    let silent = check(&cluster.plane.admin_kubeconfig(), &[]);
    assert_eq!(silent.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("API server unavailable"));
}

#[test]
fn the_page_lists_every_code() {
    for code in Code::ALL {
        assert!(PAGE.contains(&format!("\n| {code} | ")), "{code}");
    }
    assert_eq!(PAGE.matches("\n| PA-").count(), Code::ALL.len());
}
