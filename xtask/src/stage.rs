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
    /// The Go programs that tests need are built
    Assets,
    /// Unit, property, story and namespace tests
    Tests,
    /// The documentation builds without a warning
    Docs,
    /// Licences, sources and versions of the dependencies
    Deny,
}

/// Tells tests where kubectl is. Those that need it say loudly that they were skipped where it is not set.
const KUBECTL: &str = "PODID_KUBECTL";

// === impl Stage ===

impl Stage {
    /// Every stage, in the order of what fails fastest.
    pub(crate) const ALL: &[Self] = &[
        Self::Format,
        Self::Clippy,
        Self::Lean,
        Self::Generated,
        Self::Assets,
        Self::Tests,
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
            Self::Assets => build_assets(workspace),
            Self::Tests => {
                let mut tests = workspace.cargo(["test", "--locked", "--workspace", "--no-fail-fast"]);
                tests.envs(assets::built_kubectl(workspace).map(|path| (KUBECTL, path)));
                command::tests(tests)
            }
            Self::Docs => {
                let inside = "--document-private-items";
                let mut doc = workspace.cargo(["doc", "--locked", "--workspace", "--no-deps", inside]);
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

fn build_assets(workspace: &Workspace) -> anyhow::Result<Tally> {
    if !assets::go_is_installed() && !in_ci() {
        eprintln!(
            "SKIPPED: there is no Go on this machine, so kubectl cannot be built, and tests that need it"
        );
        eprintln!("         are skipped. Install Go {} or newer to run them.", assets::OLDEST_GO);
        return Ok(Tally::SKIPPED);
    }
    assets::kubectl(workspace)?;
    Ok(Tally::PASSED)
}
