//! Does the whole path hold when parts of it are killed, stopped or replaced?

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually};
use crate::server::{Server, on_both_servers};

/// Namespace of MIC and its lock.
const SYSTEM: &str = "kube-system";

on_both_servers!(
    an_agent_that_is_killed_while_it_holds_a_request_comes_back_and_nobody_passes_meanwhile,
    an_agent_that_is_told_to_stop_shuts_the_way_until_its_successor_is_there,
    a_controller_that_is_killed_in_the_middle_of_an_assignment_finishes_it_when_it_is_back,
    whichever_process_of_the_lab_is_killed_nothing_is_left,
    a_second_controller_takes_over_when_the_first_is_killed_and_when_it_is_stopped,
);

fn an_agent_that_is_killed_while_it_holds_a_request_comes_back_and_nobody_passes_meanwhile(on: Server) {
    let lab = Lab::up(on, &[]);
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

/// W-56.
fn an_agent_that_is_told_to_stop_shuts_the_way_until_its_successor_is_there(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
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

fn a_controller_that_is_killed_in_the_middle_of_an_assignment_finishes_it_when_it_is_back(on: Server) {
    let lab = Lab::up(on, &[]);
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

fn whichever_process_of_the_lab_is_killed_nothing_is_left(on: Server) {
    for which in [0, 1] {
        let lab = Lab::up(on, &["--mode", "managed"]);
        lab.pod(NAMESPACE, "sleeper", "any");
        eventually("the pod has its network", || {
            lab.ask(NAMESPACE, "sleeper", "/", &[]).starts_with("HTTP/1.1")
        });
        let receiver = lab.processes()[which];
        lab.end(receiver, Signal::SIGKILL);
    }
}

fn a_second_controller_takes_over_when_the_first_is_killed_and_when_it_is_stopped(on: Server) {
    let lab = Lab::up(on, &[]);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "aad-pod-identity-mic", "namespace": SYSTEM},
    });
    let leads = |who: &str| {
        let holder = lab.get(&lease).map(|lease| lease["spec"]["holderIdentity"].clone());
        holder.is_some_and(|holder| holder == who)
    };
    let mic = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SYSTEM}});
    eventually("the first controller leads", || lab.get(&lease).is_some());
    start_beside(&lab, &mic("mic"), "mic-2");

    // It cannot say goodbye, and is not started again.
    lab.signal("mic", "", Signal::SIGSTOP);
    lab.delete(&mic("mic"), Some(0));
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    eventually("the second controller leads", || leads("mic-2"));
    eventually("the pod gets its token", || {
        lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });

    start_beside(&lab, &mic("mic-2"), "mic-3");
    lab.delete(&mic("mic-2"), None);
    eventually("the third controller leads", || leads("mic-3"));
    lab.delete(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app", "namespace": NAMESPACE}}),
        None,
    );
    // The record of what podid put there was handed on: only then does it take it off.
    eventually("the identity is taken off the scale set", || {
        !lab.lines_with("-application-identity started").is_empty()
    });
    eventually("no assignment is left", || lab.assignments().is_empty());
    lab.stop();
}

/// Starts another controller like the one in the pod `like`.
fn start_beside(lab: &Lab, like: &Value, name: &str) {
    let like = lab.get(like).unwrap();
    let container = &like["spec"]["containers"][0];
    let words = container["command"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|word| !word.as_str().unwrap().starts_with("--leader-election-instance"));
    let own = format!("--leader-election-instance={name}");
    let command: Vec<Value> = words.cloned().chain([own.into()]).collect();
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": SYSTEM, "labels": like["metadata"]["labels"]},
        "spec": {
            "serviceAccountName": like["spec"]["serviceAccountName"], "terminationGracePeriodSeconds": 5,
            "containers": [{"name": "mic", "image": "podid", "command": command, "env": container["env"]}],
        },
    });
    lab.create(&pod).unwrap();
    eventually("the other controller runs", || {
        lab.get(&pod).is_some_and(|pod| pod["status"]["phase"] == "Running")
    });
}
