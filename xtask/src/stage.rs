//! Which stages does a test run have, and what does each run?

use std::fmt;

use clap::ValueEnum;

use crate::tally::Tally;
use crate::workspace::{Workspace, in_ci};
use crate::{assets, command, deny, generate};

/// A part of the test command that can be run on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The code is formatted
    Format,
    /// Clippy has nothing to say
    Clippy,
    /// The image's binary, without the lab, compiles without a warning
    Lean,
    /// Generated files are what Rust would write now
    Generated,
    /// Unit, property, story and namespace tests
    Tests,
    /// The lab driven by a real kubectl (needs Go)
    Kubectl,
    /// The documentation builds without a warning
    Docs,
    /// Licences, sources and versions of the dependencies
    Deny,
}

/// The test target of the binary that drives the lab with kubectl; its tests are marked `#[ignore]`.
const KUBECTL_TESTS: &str = "kubectl";
/// Tells those tests where kubectl is.
const KUBECTL: &str = "PODID_KUBECTL";

// === impl Stage ===

impl Stage {
    /// Every stage, in the order of what fails fastest.
    pub(crate) const ALL: &[Self] = &[
        Self::Format,
        Self::Clippy,
        Self::Lean,
        Self::Generated,
        Self::Tests,
        Self::Kubectl,
        Self::Docs,
        Self::Deny,
    ];

    /// The stages that run no test.
    pub(crate) const LINT: &[Self] =
        &[Self::Format, Self::Clippy, Self::Lean, Self::Generated, Self::Docs, Self::Deny];

    /// What the stage shows, in a few words.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    /// Runs it. An error means that it could not be run to its end.
    pub(crate) fn run(self, workspace: &Workspace) -> anyhow::Result<Tally> {
        match self {
            Self::Format => command::check(workspace.cargo(["fmt", "--all", "--check"])),
            Self::Clippy => command::check(workspace.cargo([
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--keep-going",
                "--",
                "--deny=warnings",
            ])),
            Self::Lean => command::check(workspace.cargo([
                "clippy",
                "--locked",
                "--package=podid",
                "--no-default-features",
                "--",
                "--deny=warnings",
            ])),
            Self::Generated => generate::check(workspace).map(|()| Tally::PASSED),
            Self::Tests => {
                command::tests(workspace.cargo(["test", "--locked", "--workspace", "--no-fail-fast"]))
            }
            Self::Kubectl => kubectl(workspace),
            Self::Docs => {
                let mut doc = workspace.cargo(["doc", "--locked", "--workspace", "--no-deps"]);
                doc.env("RUSTDOCFLAGS", "--deny=warnings");
                command::check(doc)
            }
            Self::Deny => deny::run(workspace),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("hidden", |value| value.get_name()))
    }
}

fn kubectl(workspace: &Workspace) -> anyhow::Result<Tally> {
    if !assets::go_is_installed() && !in_ci() {
        eprintln!("SKIPPED: there is no Go on this machine, so kubectl cannot be built and the lab was not");
        eprintln!("         driven by it. Install Go {} or newer to run this stage.", assets::OLDEST_GO);
        return Ok(Tally::SKIPPED);
    }
    let kubectl = assets::kubectl(workspace)?;
    let test = format!("--test={KUBECTL_TESTS}");
    let mut tests = workspace.cargo(["test", "--locked", "--package=podid", &test, "--", "--ignored"]);
    tests.env(KUBECTL, kubectl);
    command::tests(tests)
}
