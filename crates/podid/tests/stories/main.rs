//! Does the whole path hold, also when parts of it are killed? Stories over the lab with the real processes.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod lab;
mod node;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use lab::{Lab, NAMESPACE, TOKEN, demo, eventually, holds_a_token, podid};
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::json;

const METADATA: &str = "Metadata: true";

#[test]
fn the_demo_holds_every_claim_in_both_modes_and_is_plain_when_piped() {
    for mode in ["standard", "managed"] {
        let output = demo(podid(), &["--mode", mode]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("successfully made GET on instance metadata"), "{text}");
        assert!(!text.contains('\u{1b}'), "colour was written into a pipe");
        assert!(!holds_a_token(&text), "the timeline holds a token");
    }
}

/// As `nobody` where the test runs as root, else as the ordinary user that runs it.
#[test]
fn an_ordinary_user_without_an_environment_sees_the_demo() {
    let place = tempfile::tempdir().unwrap();
    let binary = place.path().join("podid");
    std::fs::copy(env!("CARGO_BIN_EXE_podid"), &binary).unwrap();
    let mut command = Command::new(&binary);
    command.env_clear().env("PATH", "").env("TMPDIR", place.path());
    if Uid::effective().is_root() {
        std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    let output = demo(command, &["--mode", "managed"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}{error}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_first_call_gets_its_token_though_identity_and_binding_come_twenty_seconds_later() {
    let lab = Lab::up(&[]);
    lab.pod(NAMESPACE, "early", "late");
    let call = lab.asking(NAMESPACE, "early", TOKEN, &[METADATA]);
    std::thread::sleep(Duration::from_secs(20));
    lab.bind(NAMESPACE, "late");
    let answer = String::from_utf8(call.wait_with_output().unwrap().stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("no answer"));
    lab.stop();
}

#[test]
fn an_agent_that_is_killed_while_it_holds_a_request_comes_back_and_nobody_passes_meanwhile() {
    let lab = Lab::up(&[]);
    lab.pod(NAMESPACE, "waiter", "late");
    let held = lab.asking(NAMESPACE, "waiter", TOKEN, &[METADATA]);
    std::thread::sleep(Duration::from_secs(1));
    for node in ["lab-vmss000000", "lab-vmss000001"] {
        lab.signal("nmi", node, Signal::SIGKILL);
    }
    // It was cut off, or had not begun; in no case did it get an answer of somebody else.
    let cut = String::from_utf8(held.wait_with_output().unwrap().stdout).unwrap();
    assert!(cut.is_empty(), "{cut}");
    lab.bind(NAMESPACE, "late");
    eventually("a later request is served", || {
        lab.ask(NAMESPACE, "waiter", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    lab.stop();
}

#[test]
fn an_agent_that_is_told_to_stop_shuts_the_way_until_its_successor_is_there() {
    let lab = Lab::up(&["--mode", "managed"]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    for node in ["lab-vmss000000", "lab-vmss000001"] {
        lab.signal("nmi", node, Signal::SIGTERM);
    }
    eventually("the successor serves", || {
        lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    lab.stop();
}

#[test]
fn a_controller_that_is_killed_in_the_middle_of_an_assignment_finishes_it_when_it_is_back() {
    let lab = Lab::up(&[]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    eventually("the scale set is being written", || {
        !lab.lines_with("+application-identity started").is_empty()
    });
    lab.signal("mic", "", Signal::SIGKILL);
    eventually("the pod gets its token", || {
        lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    lab.stop();
}

#[test]
fn whichever_process_of_the_lab_is_killed_nothing_is_left() {
    for which in [0, 1] {
        let lab = Lab::up(&["--mode", "managed"]);
        lab.pod(NAMESPACE, "sleeper", "any");
        eventually("the pod has its network", || {
            lab.ask(NAMESPACE, "sleeper", "/", &[]).starts_with("HTTP/1.1")
        });
        let receiver = lab.processes()[which];
        lab.end(receiver, Signal::SIGKILL);
    }
}

#[test]
fn a_request_that_is_not_one_is_refused_at_once_and_never_reaches_imds() {
    let lab = Lab::up(&["--mode", "managed"]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    let path = "/metadata/identity/oauth2/token";
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
    let refused: &[(&str, &[&str])] = &[
        (TOKEN, &[]),
        (TOKEN, &["Metadata: false"]),
        (TOKEN, &[METADATA, "X-Forwarded-For: 10.0.0.1"]),
        (path, &[METADATA]),
        (&format!("{path}?{query}&resource=https%3A%2F%2Fmanagement.azure.com"), &[METADATA]),
        (&format!("/metadata/identity/oauth2%2Ftoken?{query}"), &[METADATA]),
        (&format!("/metadata//identity/oauth2/token?{query}"), &[METADATA]),
        (&format!("/metadata/identity/x/../oauth2/token?{query}"), &[METADATA]),
        (&format!("/metadata/identity\\oauth2\\token?{query}"), &[METADATA]),
    ];
    for (target, headers) in refused {
        let answer = lab.ask(NAMESPACE, "app", target, headers);
        assert!(answer.starts_with("HTTP/1.1 400"), "{target} {headers:?}: {answer}");
        assert!(answer.contains("\"error_description\""), "{answer}");
    }
    assert!(lab.lines_with("IMDS ").is_empty(), "{:?}", lab.lines_with("IMDS "));
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.stop();
}

#[test]
fn a_pod_of_another_namespace_does_not_get_what_the_cache_holds() {
    let lab = Lab::up(&["--mode", "managed"]);
    lab.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})).unwrap();
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    lab.pod("other", "thief", "app");
    let asked = format!("{TOKEN}&client_id={}", lab.variable("IDENTITY_CLIENT_ID"));
    assert!(lab.ask(NAMESPACE, "app", &asked, &[METADATA]).starts_with("HTTP/1.1 200"));
    // Within a minute of the pod's start a binding might still come: 503. After that the refusal is final.
    eventually("the pod is refused for good", || {
        let answer = lab.ask("other", "thief", &asked, &[METADATA]);
        assert!(!answer.starts_with("HTTP/1.1 200") && !holds_a_token(&answer), "a token came along");
        answer.starts_with("HTTP/1.1 400")
    });
    lab.stop();
}

#[test]
fn a_malformed_identity_is_refused_with_its_field_and_others_go_on() {
    let lab = Lab::up(&["--mode", "managed"]);
    let bad = lab.create(&json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
        "metadata": {"name": "bad", "namespace": NAMESPACE},
        "spec": {"type": 0, "resourceID": "not-an-id", "clientID": "c"},
    }));
    assert!(bad.unwrap_err().to_string().contains("resourceID"));
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.stop();
}
