//! Can an ordinary kubectl be used with the lab as with a cluster?
//!
//! One lab runs for all cases, which follow each other. kubectl is that of the folder `PODID_ASSETS`, which
//! `cargo xtask test` sets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the cases are tests, though not marked with #[test]")]

mod lab;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use lab::{Lab, eventually, processes};

type Case = (&'static str, fn(&Lab));

const CASES: &[Case] = &[
    ("nodes_are_listed_ready_and_podid_runs_on_them", nodes_are_listed_ready_and_podid_runs_on_them),
    ("a_pod_that_is_applied_really_runs", a_pod_that_is_applied_really_runs),
    ("a_second_apply_changes_nothing", a_second_apply_changes_nothing),
    ("the_four_kinds_are_listed_and_explained", the_four_kinds_are_listed_and_explained),
    ("labels_and_fields_select", labels_and_fields_select),
    ("an_object_can_be_edited_patched_and_labelled", an_object_can_be_edited_patched_and_labelled),
    ("an_image_that_cannot_run_gets_an_event_that_says_why", an_image_that_cannot_run_gets_an_event),
    ("a_malformed_identity_is_refused", a_malformed_identity_is_refused),
    ("a_typo_is_refused", a_typo_is_refused),
    ("logs_are_followed_while_the_pod_runs", logs_are_followed_while_the_pod_runs),
    ("no_log_holds_a_token", no_log_holds_a_token),
    ("a_deleted_pod_s_process_is_gone", a_deleted_pod_s_process_is_gone),
    ("a_deleted_namespace_takes_everything_along", a_deleted_namespace_takes_everything_along),
];

/// Seconds that the pod of a case sleeps; no other process of this machine does so.
const NAP: &str = "86391";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let kubectl = match lab::kubectl("kubectl", CASES.len()) {
        Ok(kubectl) => kubectl,
        Err(code) => return code,
    };
    let lab = Lab::start(kubectl);
    let mut failed = 0;
    for (name, case) in CASES {
        let outcome = catch_unwind(AssertUnwindSafe(|| case(&lab)));
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(outcome.is_err());
    }
    let end = catch_unwind(AssertUnwindSafe(|| lab.stop()));
    println!("test the_lab_leaves_nothing_behind ... {}", if end.is_ok() { "ok" } else { "FAILED" });
    failed += usize::from(end.is_err());
    println!("{} passed, {failed} failed, 0 skipped", CASES.len() + 1 - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

// === the cases ===

fn nodes_are_listed_ready_and_podid_runs_on_them(lab: &Lab) {
    let nodes = lab.kubectl(&["get", "nodes", "--no-headers"]);
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), 2, "{nodes}");
    let pods = lab.kubectl(&["get", "pods", "--namespace=kube-system"]);
    assert!(pods.starts_with("NAME") && pods.contains("READY") && pods.contains("RESTARTS"), "{pods}");
    assert_eq!(pods.lines().filter(|line| line.starts_with("nmi-") && line.contains("Running")).count(), 2);
}

/// The tutorial's `demo.yaml`, for one round, beside an identity and a binding as podid writes them.
fn a_pod_that_is_applied_really_runs(lab: &Lab) {
    assert!(lab.apply(&lab.tutorial()).contains("pod/demo created"));
    let log = lab.kubectl(&["logs", "--follow", "demo", "--namespace=kubectl"]);
    assert_eq!(log.matches("successfully ").count(), 4, "{log}");
    assert!(log.contains("starting demo pod kubectl/demo 10.244."), "{log}");
    eventually("the demo is completed", || {
        lab.kubectl(&["get", "pod", "demo", "--namespace=kubectl"]).contains("Completed")
    });
}

fn a_second_apply_changes_nothing(lab: &Lab) {
    let again = lab.apply(&lab.tutorial());
    assert!(again.lines().all(|line| line.ends_with(" unchanged")), "{again}");
}

fn the_four_kinds_are_listed_and_explained(lab: &Lab) {
    let name_of = |kind: &str| lab.kubectl(&["get", kind, "-A", "--output=name"]).trim().to_owned();
    assert_eq!(name_of("azureidentities"), "azureidentity.aadpodidentity.k8s.io/application");
    assert_eq!(name_of("azureidentitybindings"), "azureidentitybinding.aadpodidentity.k8s.io/application");
    assert_eq!(name_of("azurepodidentityexceptions"), "azurepodidentityexception.aadpodidentity.k8s.io/mic");
    lab.kubectl(&["get", "azureassignedidentities", "-A"]);
    for kind in
        ["azureidentity", "azureidentitybinding", "azureassignedidentity", "azurepodidentityexception"]
    {
        let explained = lab.kubectl(&["explain", &format!("{kind}.spec")]);
        assert!(explained.contains("FIELDS:"), "{explained}");
    }
}

fn labels_and_fields_select(lab: &Lab) {
    let names = |selector: &str| {
        lab.kubectl(&["get", "pods", "--namespace=kubectl", "--output=name", selector]).trim().to_owned()
    };
    assert_eq!(names("--selector=aadpodidbinding=application"), "pod/demo");
    assert_eq!(names("--selector=aadpodidbinding=other"), "");
    assert_eq!(names("--field-selector=metadata.name=demo"), "pod/demo");
    let events = ["get", "events", "--namespace=kubectl", "--field-selector=involvedObject.name=demo"];
    assert!(lab.kubectl(&events).contains("Started container demo"));
    assert!(
        lab.kubectl(&["describe", "pod", "demo", "--namespace=kubectl"]).contains("Started container demo")
    );
}

fn an_object_can_be_edited_patched_and_labelled(lab: &Lab) {
    let binding = "azureidentitybinding/application";
    let selector =
        || lab.kubectl(&["get", binding, "--namespace=kubectl", "--output=jsonpath={.spec.selector}"]);
    let edited = lab.run(
        &["edit", binding, "--namespace=kubectl"],
        "",
        &[("KUBE_EDITOR", "sed -i s/selector:.*/selector:\\ edited/")],
    );
    assert!(edited.status.success(), "{edited:?}");
    assert_eq!(selector(), "edited");
    let patch = r#"--patch={"spec":{"selector":"application"}}"#;
    lab.kubectl(&["patch", binding, "--namespace=kubectl", "--type=merge", patch]);
    assert_eq!(selector(), "application");
    lab.kubectl(&["label", "pod", "demo", "--namespace=kubectl", "tier=front"]);
    assert_eq!(lab.kubectl(&["get", "pods", "-A", "-l", "tier=front", "--output=name"]).trim(), "pod/demo");
}

fn an_image_that_cannot_run_gets_an_event(lab: &Lab) {
    lab.apply(&pod("web", "nginx", "[]"));
    eventually("an event says what the lab can run", || {
        let told = lab.kubectl(&["describe", "pod", "web", "--namespace=kubectl"]);
        told.contains("image whose name ends in /demo") && told.contains("explicit command")
    });
}

fn a_malformed_identity_is_refused(lab: &Lab) {
    let identity = lab.tutorial().replace("/subscriptions/", "subscriptions/");
    let refused = lab.run(&["apply", "--filename=-"], &identity, &[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("resourceID"), "{said}");
}

fn a_typo_is_refused(lab: &Lab) {
    let refused =
        lab.run(&["apply", "--filename=-"], &lab.tutorial().replace("azureIdentity:", "azureIdentiy:"), &[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("azureIdentiy"), "{said}");
}

fn logs_are_followed_while_the_pod_runs(lab: &Lab) {
    lab.apply(&pod("talker", "any", r#"["sh", "-c", "echo one; sleep 1; echo two"]"#));
    assert_eq!(lab.kubectl(&["logs", "--follow", "talker", "--namespace=kubectl"]), "one\ntwo\n");
}

fn no_log_holds_a_token(lab: &Lab) {
    let pods = lab.kubectl(&[
        "get",
        "pods",
        "-A",
        "--output=jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{'\\n'}{end}",
    ]);
    for pod in pods.lines() {
        let (namespace, name) = pod.split_once('/').unwrap();
        if name == "web" {
            continue;
        }
        let log = lab.kubectl(&["logs", name, "--namespace", namespace]);
        // What every JWT begins with: base64url of `{"`.
        assert!(!log.contains("eyJ"), "the log of {pod} holds a token");
        assert!(!log.is_empty(), "{pod} logs nothing");
    }
}

fn a_deleted_pod_s_process_is_gone(lab: &Lab) {
    lab.apply(&pod("sleeper", "any", &format!(r#"["sleep", "{NAP}"]"#)));
    eventually("the process runs", || processes(&format!("sleep\0{NAP}\0")) == 1);
    lab.kubectl(&["delete", "pod", "sleeper", "--namespace=kubectl"]);
    assert_eq!(processes(&format!("sleep\0{NAP}\0")), 0, "kubectl delete returns when the pod is gone");
    let gone = lab.run(&["get", "pod", "sleeper", "--namespace=kubectl"], "", &[]);
    assert!(String::from_utf8_lossy(&gone.stderr).contains("NotFound"), "{gone:?}");
}

fn a_deleted_namespace_takes_everything_along(lab: &Lab) {
    lab.kubectl(&["delete", "namespace", "kubectl"]);
    for kind in ["pods", "azureidentities", "azureidentitybindings"] {
        assert_eq!(lab.kubectl(&["get", kind, "--namespace=kubectl", "--output=name"]), "", "{kind}");
    }
    eventually("no record is left of the pod", || {
        lab.kubectl(&["get", "azureassignedidentities", "-A", "--output=name"]).is_empty()
    });
}

/// A pod of one container.
fn pod(name: &str, image: &str, command: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: kubectl}}\nspec:\n  restartPolicy: Never\n  \
         containers:\n  - {{name: main, image: {image}, command: {command}}}\n"
    )
}
