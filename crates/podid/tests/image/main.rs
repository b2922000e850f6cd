//! Do MIC and NMI work with what a container of the manifests has, and nothing more?
//!
//! Read-only root, the manifest's user, its capabilities and no others, no way to gain more, files and addresses
//! that a kubelet would give. `cargo xtask image --try` runs this with the image's root file system
//! (`PODID_IMAGE_ROOT`); otherwise it is one around the binary that cargo built, with the system's libraries.
//!
//! Each case is a process of its own, because a user namespace can only be entered by one with a single thread,
//! and only in one can an ordinary user do all this. Seccomp's `RuntimeDefault` is a container runtime's, and not
//! applied here.
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    reason = "the cases are tests, though not marked with #[test]"
)]

mod cases;
mod cluster;
mod container;
mod root;
mod stage;

use std::process::{Command, ExitCode};
use std::{env, fs};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::cases::Case;

/// Says that this process is to run one case.
const CASE: &str = "--case";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--list") => return ExitCode::SUCCESS,
        Some(CASE) => {
            let case = cases::find(arguments.get(1).map_or("", String::as_str));
            enter_user_namespace(case);
            (case.run)();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    for case in cases::all() {
        if filter.is_some_and(|filter| !case.name.contains(filter.as_str())) {
            continue;
        }
        let status = Command::new(env::current_exe().unwrap()).args([CASE, case.name]).status();
        let ok = status.is_ok_and(|status| status.success());
        println!("test {} ... {}", case.name, if ok { "ok" } else { "FAILED" });
        *(if ok { &mut passed } else { &mut failed }) += 1;
    }
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An ordinary user becomes the case's user there, with all rights over what is made there.
fn enter_user_namespace(case: &Case) {
    if geteuid().is_root() {
        return;
    }
    let (user, group, wanted) = (geteuid(), getegid(), case.user);
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", format!("{wanted} {user} 1")).unwrap();
    fs::write("/proc/self/gid_map", format!("{wanted} {group} 1")).unwrap();
}
