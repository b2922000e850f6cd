//! Which Python is here, and how do packages that are pinned by their hashes come into a folder of their own?

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// The oldest Python that today's packages run on.
const NEED: (u32, u32) = (3, 10);

/// A Python that can make environments and install into them.
#[derive(Debug)]
pub(crate) struct Python {
    /// Its version as it says it, such as `3.11.7`.
    pub(crate) version: String,
    program: OsString,
}

/// Why nothing can be installed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// There is none.
    #[error("there is no python3 on this machine; install Python 3.{} or newer, with its venv", NEED.1)]
    Missing,
    /// It is not new enough.
    #[error("Python {0} is too old; install Python 3.{need} or newer, with its venv", need = NEED.1)]
    TooOld(String),
    /// It cannot make an environment.
    #[error("Python {0} has no venv or ensurepip; on Debian and Ubuntu, install python3-venv")]
    NoVenv(String),
}

// === impl Python ===

impl Python {
    /// Asks the `python3` of the search path.
    pub(crate) fn find() -> Result<Self, Unusable> {
        Self::ask("python3".into())
    }

    fn ask(program: OsString) -> Result<Self, Unusable> {
        let say = "import platform; print(platform.python_version())";
        let version = output(&program, &["-c", say]).ok_or(Unusable::Missing)?;
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < NEED {
            return Err(Unusable::TooOld(version));
        }
        match output(&program, &["-c", "import venv, ensurepip"]) {
            Some(_) => Ok(Self { version, program }),
            None => Err(Unusable::NoVenv(version)),
        }
    }

    /// Makes an environment with what `requirements` pins, and at `launcher` a program that is its Python.
    pub(crate) fn install(
        &self,
        requirements: &Path,
        environment: &Path,
        launcher: &Path,
    ) -> anyhow::Result<()> {
        if environment.exists() {
            fs::remove_dir_all(environment)
                .with_context(|| format!("cannot remove {}", environment.display()))?;
        }
        let mut venv = Command::new(&self.program);
        run(venv.args(["-m", "venv"]).arg(environment))?;
        let python = environment.join("bin/python");
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        // Nothing is built here, so nothing of what is downloaded is run.
        pip.args(["--only-binary=:all:", "--require-hashes", "--requirement"]).arg(requirements);
        run(&mut pip)?;
        let new = launcher.with_extension(format!("new-{}", std::process::id()));
        let script = format!("#!/bin/sh\nexec '{}' -B \"$@\"\n", python.display());
        fs::write(&new, script)
            .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&new, launcher))
            .with_context(|| format!("cannot write {}", launcher.display()))
    }
}

/// What a program prints, if it succeeds.
fn output(program: &OsString, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    anyhow::ensure!(
        status.success(),
        "{program} failed, its messages are above; set PIP_INDEX_URL if the usual index cannot be reached from here"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// What is said of a Python that runs this script.
    fn ask(script: &str) -> String {
        let folder = TempDir::new().unwrap();
        let program = folder.path().join("python3");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Python::ask(program.into()).map_or_else(|unusable| unusable.to_string(), |python| python.version)
    }

    #[test]
    fn a_python_with_everything_is_used() {
        assert_eq!(ask("echo 3.11.7"), "3.11.7");
        assert_eq!(ask("echo 4.0.0"), "4.0.0");
    }

    #[test]
    fn one_that_will_not_do_is_named_in_one_line_with_what_would() {
        assert!(ask("echo 3.9.2").starts_with("Python 3.9.2 is too old; install Python 3.10"));
        assert!(ask("exit 127").starts_with("there is no python3 on this machine"));
        let without = ask("case $2 in *venv*) exit 1;; esac; echo 3.12.1");
        assert!(without.contains("Python 3.12.1 has no venv") && without.contains("install python3-venv"));
    }
}
