//! What does `podid nmi` say when it cannot start?
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests")]

use std::io::{BufRead, BufReader, Lines};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Exit code and the last line of what was printed, without the environment's settings.
fn nmi(arguments: &[&str]) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_podid")).arg("nmi").args(arguments).env_clear().output().unwrap();
    assert!(output.stdout.is_empty());
    let printed = String::from_utf8(output.stderr).unwrap();
    // Lines of the log come before the message, and are not it.
    let message = printed.split_once("podid: ").map_or(printed.as_str(), |(_, message)| message);
    (output.status.code(), message.trim_end().to_owned())
}

/// Ports that nobody else uses, and an address that every machine has.
const FREE: [&str; 6] = [
    "--node=node-1",
    "--allow-network-plugin-kubenet",
    "--nmi-listen-address=127.0.0.2",
    "--nmi-port=0",
    "--http-probe-port=0",
    "--prometheus-port=0",
];

fn failing(more: &[&str]) -> String {
    let arguments: Vec<&str> = FREE.iter().chain(more).copied().collect();
    let (code, message) = nmi(&arguments);
    assert_eq!(code, Some(1), "{message}");
    message
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named_in_one_line_with_what_to_check() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let message = failing(&["--kubeconfig", missing.to_str().unwrap()]);
    assert!(message.contains("cannot read kubeconfig") && message.contains("--kubeconfig"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");

    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, "users: [").unwrap();
    let message = failing(&["--kubeconfig", garbage.to_str().unwrap()]);
    assert!(message.contains("is malformed"), "{message}");

    let message = failing(&[]);
    assert!(message.contains("not in a cluster") && message.contains("--kubeconfig FILE"), "{message}");
}

#[test]
fn a_port_in_use_is_named_with_what_it_is_for() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = format!("--http-probe-port={}", taken.local_addr().unwrap().port());
    let arguments: Vec<&str> =
        FREE.iter().filter(|flag| !flag.contains("probe")).copied().chain([&*port]).collect();
    let (code, message) = nmi(&arguments);
    assert_eq!(code, Some(1));
    assert!(message.contains("for probes") && message.contains("in use by another process"), "{message}");
}

/// An agent that waits for an API server that never answers, and the lines of its log.
fn waiting(more: &[&str]) -> (Child, Lines<BufReader<ChildStderr>>, (TcpListener, tempfile::TempDir)) {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: a, contexts: [{{name: a, context: {{cluster: a, user: a}}}}], \
         users: [{{name: a, user: {{}}}}], clusters: [{{name: a, cluster: {{server: \"http://{}\"}}}}]}}",
        silent.local_addr().unwrap()
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_podid"))
        .arg("nmi")
        .args(FREE)
        .args(["--kubeconfig", kubeconfig.to_str().unwrap()])
        .args(more)
        .env_clear()
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(agent.stderr.take().unwrap()).lines();
    // The handlers of signals come before.
    until(&mut log, "token requests of pods will come here");
    (agent, log, (silent, directory))
}

/// Reads up to the line that contains `text`, and returns it.
fn until(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    log.map(Result::unwrap).find(|line| line.contains(text)).unwrap()
}

fn signal(agent: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(agent.id()).unwrap()), signal).unwrap();
}

#[test]
fn the_log_level_is_read_again_on_sighup_and_a_second_signal_ends_the_agent_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log-level");
    let (mut agent, mut log, _silent) = waiting(&["--log-level-file", file.to_str().unwrap()]);
    for (text, expected) in
        [(Some("5"), "podid=debug"), (Some("nonsense=much"), "stays as it is"), (None, "podid=info")]
    {
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        signal(&agent, Signal::SIGHUP);
        let line = until(&mut log, "SIGHUP");
        assert!(line.contains(expected) && line.contains("log-level"), "{line}");
    }
    signal(&agent, Signal::SIGTERM);
    until(&mut log, "a second signal exits at once");
    signal(&agent, Signal::SIGINT);
    assert_eq!(agent.wait().unwrap().code(), Some(130));
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_possible() {
    let (code, message) = nmi(&["--node=node-1", "--operation-mode=automatic"]);
    assert_eq!(code, Some(2));
    assert!(message.contains("standard or managed"), "{message}");
    assert_eq!(nmi(&["--node=node-1", "--no-such-flag"]).0, Some(2));
}

#[test]
fn a_contradiction_and_a_missing_node_are_errors_and_not_guesses() {
    assert!(failing(&["--operation-mode=managed", "--forceNamespaced=false"]).contains("--forceNamespaced"));
    let (code, message) = nmi(&["--allow-network-plugin-kubenet"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("--node NAME"), "{message}");
}

#[test]
fn a_node_on_kubenet_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("kubelet");
    std::fs::write(&file, "KUBELET_FLAGS=--network-plugin=kubenet\n").unwrap();
    let (code, message) = nmi(&["--node=node-1", "--kubelet-config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(message.contains("NET_RAW") && message.contains("--allow-network-plugin-kubenet"), "{message}");
}
