//! Which stages does a test run have, and what does each run?

use std::fmt;

use clap::ValueEnum;

use crate::area::Area;
use crate::assets::{Assets, Kubernetes};
use crate::tally::{Findings, Tally};
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
    /// The programs of others that tests need are there: etcd, kube-apiserver, kubectl, helm, Azure SDKs
    Assets,
    /// Unit, property, story and namespace tests
    Tests,
    /// The documentation builds without a warning
    Docs,
    /// Licences, sources and versions of the dependencies
    Deny,
}

/// Tells tests in which folder those programs are. A test that does not find its program there says so loudly.
const ASSETS: &str = "PODID_ASSETS";

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

    /// The stages that an area's tests take.
    pub(crate) const TESTS: &[Self] = &[Self::Assets, Self::Tests];

    /// What the stage shows, in a few words.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| Some(value.get_help()?.to_string())).unwrap_or_default()
    }

    /// Runs it; of tests only those of `area`, if there is one. An error means that it could not be run to its end.
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        area: Option<Area>,
        kubernetes: Option<Kubernetes>,
    ) -> anyhow::Result<Findings> {
        let tally = match self {
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
            Self::Assets => return judge_assets(&assets::prepare(workspace, kubernetes)?, in_ci()),
            Self::Tests => {
                let folder = assets::present(workspace, kubernetes)?.folder;
                if let Some(area) = area {
                    return area.run(workspace, (ASSETS, &folder));
                }
                let mut tests = workspace.cargo(["test", "--locked", "--workspace", "--no-fail-fast"]);
                tests.env(ASSETS, folder);
                return command::tests(tests);
            }
            Self::Docs => {
                let inside = "--document-private-items";
                let mut doc = workspace.cargo(["doc", "--locked", "--workspace", "--no-deps", inside]);
                doc.env("RUSTDOCFLAGS", "--deny=warnings");
                command::check(doc)
            }
            Self::Deny => return deny::run(workspace),
        };
        tally.map(Findings::from)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("hidden", |value| value.get_name()))
    }
}

/// Programs that are missing are a failure in CI, and elsewhere said loudly.
fn judge_assets(assets: &Assets, in_ci: bool) -> anyhow::Result<Findings> {
    println!("the programs are in {}", assets.folder.display());
    match assets.require_all() {
        Ok(()) => Ok(Tally::PASSED.into()),
        Err(problem) if in_ci => Err(problem),
        Err(problem) => Ok(Findings::skipped(&format!("{problem}. Tests that need them are skipped, too."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Program;

    #[test]
    fn missing_programs_are_said_loudly_and_fail_in_ci() {
        let missing = vec![Program::Etcd, Program::Helm];
        let assets = Assets { folder: "/there".into(), missing, reason: "there is no Go".into() };
        let findings = judge_assets(&assets, false).unwrap();
        assert_eq!(findings.tally, Tally::SKIPPED);
        assert!(findings.skips[0].starts_with("SKIPPED: etcd, helm could not be built: there is no Go."));
        let error = judge_assets(&assets, true).unwrap_err().to_string();
        assert_eq!(error, "etcd, helm could not be built: there is no Go");
        let nothing = Assets { missing: Vec::new(), ..assets };
        assert_eq!(judge_assets(&nothing, true).unwrap().tally, Tally::PASSED);
    }
}
