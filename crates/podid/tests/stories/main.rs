//! Does the whole path hold, also when parts of it are killed? Stories over the lab with the real processes.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod addon;
mod assign;
mod entitled;
mod guest;
mod lab;
mod node;
mod outage;
mod restart;
mod sdk;
mod server;

use std::os::unix::process::CommandExt;
use std::process::Command;

use lab::{demo, holds_a_token, podid};
use nix::unistd::Uid;
use server::{Server, on_both_servers};

const METADATA: &str = "Metadata: true";

on_both_servers!(the_demo_holds_every_claim_in_both_modes_and_is_plain_when_piped);

/// W-64.
fn the_demo_holds_every_claim_in_both_modes_and_is_plain_when_piped(on: Server) {
    for mode in ["standard", "managed"] {
        let output = demo(podid(), on, &["--mode", mode]);
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
    let output = demo(command, Server::Embedded, &["--mode", "managed"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}{error}", String::from_utf8_lossy(&output.stdout));
}
