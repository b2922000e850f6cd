//! What does Prometheus's own tool say of metrics and alerts?
//!
//! It is Debian's package `prometheus`. Without it the cases are skipped and say so, but not in CI.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the cases are tests, though not marked with #[test]")]

use std::io::Write;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("of_the_agent_s_metrics_only_the_original_s_names_are_found_fault_with", the_agent_s_metrics),
    ("of_the_controller_s_metrics_only_the_original_s_names_are_found_fault_with", the_controller_s_metrics),
    ("the_rules_are_well_formed", the_rules_are_well_formed),
    ("every_alert_fires_when_it_should_and_not_when_it_should_not", every_alert_fires_when_it_should),
];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if Command::new("promtool").arg("--version").output().is_err() {
        let fatal = std::env::var("CI").is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
        println!("SKIPPED: promtool: there is none; install Debian's package prometheus");
        let (failed, skipped) = if fatal { (CASES.len(), 0) } else { (0, CASES.len()) };
        println!("0 passed, {failed} failed, {skipped} skipped");
        return if fatal { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let mut failed = 0;
    for (name, case) in CASES {
        let outcome = catch_unwind(case);
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += usize::from(outcome.is_err());
    }
    println!("{} passed, {failed} failed, 0 skipped", CASES.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

// === the cases ===

fn the_agent_s_metrics() {
    let legacy = [
        "aadpodidentity_imds_operations_errors_count",
        "aadpodidentity_kubernetes_api_operations_errors_count",
    ];
    only_legacy(&podid_nmi::metrics::sample(), &legacy);
}

fn the_controller_s_metrics() {
    let legacy = [
        "aadpodidentity_assigned_identity_addition_count",
        "aadpodidentity_assigned_identity_deletion_count",
        "aadpodidentity_assigned_identity_update_count",
        "aadpodidentity_cloud_provider_operations_errors_count",
        "aadpodidentity_kubernetes_api_operations_errors_count",
        "aadpodidentity_mic_cycle_count",
        "aadpodidentity_mic_new_leader_election_count",
    ];
    only_legacy(&podid_mic::metrics::sample(), &legacy);
}

fn the_rules_are_well_formed() {
    succeeded(&promtool(&["check", "rules", "alerts.yaml"], ""));
}

fn every_alert_fires_when_it_should() {
    succeeded(&promtool(&["test", "rules", "alerts-test.yaml"], ""));
}

// === how they are done ===

/// promtool finds fault with each of `legacy`, and with nothing else.
fn only_legacy(metrics: &str, legacy: &[&str]) {
    let output = promtool(&["check", "metrics"], metrics);
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let is_legacy = |line: &&str| legacy.iter().any(|name| line.starts_with(name));
    let others: Vec<_> = said.lines().filter(|line| !is_legacy(line)).collect();
    assert!(others.is_empty(), "{others:#?}");
    for name in legacy {
        assert!(
            said.lines().any(|line| line.starts_with(name)),
            "{name} keeps the rules: take it off the list"
        );
    }
}

fn succeeded(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read it has closed the pipe.
    let _ = tool.stdin.take().unwrap().write_all(input.as_bytes());
    tool.wait_with_output().unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring")
}
