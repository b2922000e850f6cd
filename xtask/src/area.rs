//! Which tests concern one part of podid?

use clap::ValueEnum;

use crate::command;
use crate::tally::Findings;
use crate::workspace::Workspace;

/// A part of podid whose tests can be run without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Area {
    /// The node agent: core, kube, azure, runtime, nmi, a short run of the fuzzer, and what the binary's tests show of it
    Nmi,
    /// The controller: core, kube, azure, runtime, mic, and what the binary's tests show of it
    Mic,
}

/// The package of the binary; its tests run the shipped processes.
const BINARY: &str = "podid";

/// Tests of the binary's package that do not concern every area, and those that they do concern.
const NARROW: &[(&str, &[Area])] = &[
    ("chart", &[]),
    ("kubectl", &[]),
    ("nmi", &[Area::Nmi]),
    ("own_daemon_set", &[Area::Nmi]),
    ("resources", &[Area::Mic]),
    ("tutorial", &[]),
];

// === impl Area ===

impl Area {
    /// Runs the tests of this area; tests find the programs of others in the folder `assets`.
    pub(crate) fn run(
        self,
        workspace: &Workspace,
        assets: (&str, &std::path::Path),
    ) -> anyhow::Result<Findings> {
        let mut findings = Findings::default();
        for selection in [self.packages(), self.of_the_binary(workspace.tests(BINARY))] {
            let mut tests = workspace.cargo(["test", "--locked", "--no-fail-fast"]);
            tests.args(selection).env(assets.0, assets.1);
            findings += command::tests(tests)?;
        }
        Ok(findings)
    }

    /// Whole packages: the role's own and those that it stands on.
    fn packages(self) -> Vec<String> {
        let own: &[_] = match self {
            Self::Nmi => &["podid-nmi", "podid-fuzz"],
            Self::Mic => &["podid-mic"],
        };
        let all = ["podid-core", "podid-kube", "podid-azure", "podid-runtime"];
        all.iter().chain(own).map(|package| format!("--package={package}")).collect()
    }

    /// The binary's own unit tests, and of its other `tests` those of this area.
    fn of_the_binary(self, tests: &[String]) -> Vec<String> {
        let concerns = |test: &str| {
            NARROW.iter().find(|(narrow, _)| *narrow == test).is_none_or(|(_, areas)| areas.contains(&self))
        };
        let tests = tests.iter().filter(|test| concerns(test)).map(|test| format!("--test={test}"));
        [format!("--package={BINARY}"), format!("--bin={BINARY}")].into_iter().chain(tests).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_narrow_test_exists() {
        let workspace = Workspace::find().unwrap();
        let gone = |(test, _): &&(&str, _)| !workspace.tests(BINARY).iter().any(|there| there == test);
        assert_eq!(NARROW.iter().find(gone), None);
    }

    #[test]
    fn an_area_is_its_role_what_that_stands_on_and_the_processes() {
        assert!(Area::Nmi.packages().contains(&"--package=podid-nmi".to_owned()));
        assert!(!Area::Nmi.packages().contains(&"--package=podid-mic".to_owned()));
        let tests = ["chart", "nmi", "stories"].map(str::to_owned);
        let mic = Area::Mic.of_the_binary(&tests);
        assert_eq!(mic, ["--package=podid", "--bin=podid", "--test=stories"]);
        assert_eq!(Area::Nmi.of_the_binary(&tests)[2..], ["--test=nmi", "--test=stories"]);
    }
}
