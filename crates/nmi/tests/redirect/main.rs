//! Does the redirect keep its promises with real packets?
//!
//! A user namespace can only be entered by a process with one thread, so this test has its own `main`. Started
//! by root it runs every case twice: as root, and again as the user nobody in a user namespace. Each case builds
//! a node, two pods and a metadata service of its own, in network namespaces that vanish with it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_in_result,
    reason = "the cases are tests, though not marked with #[test]"
)]

mod agent;
mod cases;
mod company;
mod handover;
mod intruder;
mod neighbours;
mod selftest;
mod ways;
mod world;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, panic};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

const NOBODY: u32 = 65534;

/// How many cases went which way.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--list") => return ExitCode::SUCCESS,
        Some("--agent") => return agent::run_for_ever(),
        _ => {}
    }
    let mut tally = Tally::default();
    if geteuid().is_root() {
        tally = again_as_nobody();
        run_cases(&mut tally);
    } else {
        tally.run("the_powerless_are_told_which_capability_is_missing", cases::powerless);
        match enter_user_namespace() {
            Ok(()) => run_cases(&mut tally),
            // A host that forbids this cannot test the redirect; saying so loudly beats passing silently.
            Err(error) => tally.count("namespaces_of_our_own", &Err(format!("not permitted here: {error}"))),
        }
    }
    println!("{} passed, {} failed, 0 skipped", tally.passed, tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all cases, or those whose name contains the argument.
fn run_cases(tally: &mut Tally) {
    let wanted = env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, case) in cases::CASES.iter().filter(|(name, _)| name.contains(&wanted)) {
        tally.run(name, *case);
    }
}

/// Becomes root of a user namespace, with the right to make network namespaces.
fn enter_user_namespace() -> std::io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// Runs a copy of this binary as an ordinary user, who may not be able to reach the build directory.
fn again_as_nobody() -> Tally {
    let copy = env::temp_dir().join(format!("podid-redirect-test-{}", std::process::id()));
    fs::copy(env::current_exe().expect("own path"), &copy).expect("a copy that nobody may run");
    let output = Command::new(&copy)
        .args(env::args().skip(1))
        .uid(NOBODY)
        .gid(NOBODY)
        .stderr(Stdio::inherit())
        .output();
    fs::remove_file(&copy).expect("remove the copy");
    let mut tally = Tally::default();
    for line in String::from_utf8_lossy(&output.expect("the copy runs").stdout).lines() {
        if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            let outcome = if outcome == "ok" { Ok(()) } else { Err(outcome.to_owned()) };
            tally.count(&format!("nobody::{name}"), &outcome);
        }
    }
    if tally.passed + tally.failed == 0 {
        tally.count("nobody", &Err("nothing ran".to_owned()));
    }
    tally
}

// === impl Tally ===

impl Tally {
    fn run(&mut self, name: &str, case: fn()) {
        let outcome = panic::catch_unwind(case);
        self.count(name, &outcome.map_err(|_| "see the panic above".to_owned()));
    }

    fn count(&mut self, name: &str, outcome: &Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok");
            }
            Err(reason) => {
                self.failed += 1;
                println!("test {name} ... FAILED: {reason}");
            }
        }
    }
}
