//! Where is everything?

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

/// The folders of this workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// Every bench.
    pub(crate) benches: Vec<Bench>,
    /// The test programs of each package, sorted.
    tests: BTreeMap<String, Vec<String>>,
    versions: BTreeMap<String, String>,
}

/// A bench of one of our packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bench {
    pub(crate) package: String,
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

// === impl Workspace ===

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new(cargo_path())
            .args(["metadata", "--no-deps", "--format-version=1"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .output()
            .context("cannot run cargo metadata")?;
        anyhow::ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata printed something unexpected")?;
        let benches = benches(&metadata.packages);
        let tests = metadata
            .packages
            .iter()
            .map(|package| (package.name.clone(), targets(package, "test")))
            .collect();
        let versions = metadata.packages.into_iter().map(|package| (package.name, package.version)).collect();
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            benches,
            tests,
            versions,
        })
    }

    /// The test programs of one of our packages, in order.
    pub(crate) fn tests(&self, package: &str) -> &[String] {
        self.tests.get(package).map_or(&[], Vec::as_slice)
    }

    /// The version of one of our packages.
    pub(crate) fn version(&self, package: &str) -> anyhow::Result<String> {
        let version = self.versions.get(package).with_context(|| format!("there is no package {package}"))?;
        Ok(version.clone())
    }

    /// Cargo with `arguments`, to be run in the workspace.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.command(cargo_path(), arguments)
    }

    /// `program` with `arguments`, to be run in the workspace.
    pub(crate) fn command<const N: usize>(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        arguments: [&str; N],
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
    }
}

impl fmt::Display for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.name)
    }
}

fn benches(packages: &[Package]) -> Vec<Bench> {
    let mut benches = Vec::new();
    for package in packages {
        let names = targets(package, "bench").into_iter();
        benches.extend(names.map(|name| Bench { package: package.name.clone(), name }));
    }
    benches.sort();
    benches
}

/// The names of the targets of one kind, sorted.
fn targets(package: &Package, kind: &str) -> Vec<String> {
    let of_kind = package.targets.iter().filter(|target| target.kind.iter().any(|is| is == kind));
    let mut names: Vec<_> = of_kind.map(|target| target.name.clone()).collect();
    names.sort();
    names
}

/// The cargo that runs us, so that a `+toolchain` holds for everything.
fn cargo_path() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether this is a CI run, where nothing may be skipped for want of a tool.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}
