//! Which programs ask with an Azure SDK, how do they run in a pod, and what do they say?

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::unistd::{AccessFlags, access};
use serde_json::Value;

use crate::lab::{Lab, NAMESPACE, holds_a_token};

/// An Azure SDK, as it comes from its makers, and a small program of ours that asks with it.
#[derive(Clone, Debug)]
pub(super) struct Sdk {
    /// Its name, which is also that of its pod.
    pub(super) name: &'static str,
    program: PathBuf,
    script: bool,
    /// Whether it can name an identity by resource id and object id.
    pub(super) all_selectors: bool,
}

/// A program that runs in a pod.
pub(super) struct Running {
    who: String,
    child: Child,
}

/// The SDKs, or nothing and one loud line on standard error that says what `test` did not show.
pub(super) fn find_or_skip(test: &str) -> Option<[Sdk; 3]> {
    let sdk = |name, file, script, all_selectors| {
        let program = folder().join(file);
        if access(&program, AccessFlags::X_OK).is_ok() {
            return Some(Sdk { name, program, script, all_selectors });
        }
        let missing = format!("{test}: there is no {}; `cargo xtask test` makes it", program.display());
        assert!(!in_ci(), "{missing}");
        // Past `eprintln!`, which the test harness keeps to itself when a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
        None
    };
    Some([
        sdk("python-today", "python-today", true, true)?,
        sdk("python-2020", "python-2020", true, false)?,
        sdk("go", "azidentity", false, true)?,
    ])
}

// === impl Sdk ===

impl Sdk {
    /// Whether the program is a Python.
    pub(super) fn is_python(&self) -> bool {
        self.script
    }

    /// Begins to put the questions, one after the other, in the pod.
    pub(super) fn asks(&self, lab: &Lab, pod: &str, questions: &[String]) -> Running {
        let script = self.script.then(|| script("ask.py"));
        let arguments = script.into_iter().chain(questions.iter().map(PathBuf::from));
        self.runs(lab, pod, arguments)
    }

    /// Begins to run the program for Key Vault in the pod.
    pub(super) fn reads_the_vault(&self, lab: &Lab, pod: &str) -> Running {
        self.runs(lab, pod, [script("vault.py")])
    }

    fn runs(&self, lab: &Lab, pod: &str, arguments: impl IntoIterator<Item = PathBuf>) -> Running {
        let mut command: Command = lab.exec(NAMESPACE, pod);
        // As in a pod, there is no proxy and no credential of whoever runs the test.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.arg(&self.program).args(arguments).stderr(Stdio::piped());
        Running { who: format!("{} in {pod}", self.name), child: command.spawn().unwrap() }
    }
}

// === impl Running ===

impl Running {
    /// What it said to each question.
    pub(super) fn answers(self) -> Vec<Value> {
        let (who, output) = self.end();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{who}: {line}")))
            .collect()
    }

    /// All that it printed.
    pub(super) fn text(self) -> String {
        String::from_utf8(self.end().1.stdout).unwrap()
    }

    fn end(self) -> (String, Output) {
        let output = self.child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!holds_a_token(&errors), "{} printed a token", self.who);
        assert!(output.status.success(), "{}: {errors}", self.who);
        (self.who, output)
    }
}

/// A file of `testassets/python`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testassets/python").join(name).canonicalize().unwrap()
}

fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("PODID_ASSETS").unwrap_or_else(|| {
        let target = set("CARGO_TARGET_DIR");
        target
            .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
            .join("testassets")
    })
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}
