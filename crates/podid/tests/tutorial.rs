//! Does the tutorial work when its blocks are pasted, one after the other, into one shell?
//!
//! kubectl is that of the folder `PODID_ASSETS`, as for the test `kubectl`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the case is a test, though not marked with #[test]")]

#[path = "kubectl/lab.rs"]
#[allow(dead_code, reason = "the test kubectl uses all of it")]
mod lab;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use lab::Lab;

const TUTORIAL: &str = include_str!("../../../docs/tutorial.md");

/// What the demo prints when all is well, up to the client id.
const LINES: [&str; 4] = [
    "successfully doARMOperations vm count 0",
    "successfully acquired a token using the MSI, msiEndpoint(http://169.254.169.254/metadata/identity/oauth2/token)",
    "successfully acquired a token, userAssignedID MSI, \
     msiEndpoint(http://169.254.169.254/metadata/identity/oauth2/token) clientID(",
    "successfully made GET on instance metadata",
];

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let kubectl = match lab::kubectl("tutorial", 1) {
        Ok(kubectl) => kubectl,
        Err(code) => return code,
    };
    let lab = Lab::start(kubectl);
    let outcome = catch_unwind(AssertUnwindSafe(|| the_tutorial_works_as_pasted(&lab)));
    let end = catch_unwind(AssertUnwindSafe(|| lab.stop()));
    let passed = outcome.is_ok() && end.is_ok();
    println!("test the_tutorial_works_as_pasted ... {}", if passed { "ok" } else { "FAILED" });
    println!("{} passed, {} failed, 0 skipped", u8::from(passed), u8::from(!passed));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn the_tutorial_works_as_pasted(lab: &Lab) {
    let output = lab.paste(&blocks(TUTORIAL));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a command failed: {out}{err}");
    for line in LINES {
        assert_eq!(out.lines().filter(|told| told.starts_with(line)).count(), 1, "{line}: {out}{err}");
    }
    assert!(out.contains("\nAssigned\n"), "MIC's record is not as the tutorial says: {out}");
    assert!(out.contains("\n{\"access_token\":"), "a command in the pod got no token: {out}{err}");
    assert!(out.contains("Required metadata header not specified"), "the last request was answered: {out}");
}

/// What stands between the fences that a reader pastes.
fn blocks(markdown: &str) -> String {
    let mut pasted = String::new();
    let mut inside = false;
    for line in markdown.lines() {
        match line {
            "```bash" => inside = true,
            "```" => inside = false,
            _ if inside => {
                pasted += line;
                pasted.push('\n');
            }
            _ => {}
        }
    }
    pasted
}
