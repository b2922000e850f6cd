//! Where is the kubectl that the tests use, and how is it built?
//!
//! From the Kubernetes project's Go module, whose version `testassets/go.mod` fixes, into
//! `target/testassets`. It is built again only when that folder or the Go toolchain has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;

use crate::workspace::Workspace;

/// What the module needs at least.
pub(crate) const OLDEST_GO: &str = "1.24";
/// The module that holds kubectl; its v0.34.4 is Kubernetes 1.34.4.
const MODULE: &str = "k8s.io/kubectl";
/// The files that decide what is built.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "kubectl/main.go"];

/// What the program was built from, beside it.
const STAMP: &str = "kubectl.stamp";

/// Whether Go programs can be built here.
pub(crate) fn go_is_installed() -> bool {
    go_version().is_ok()
}

/// The path of kubectl, if it is built from what is there now.
pub(crate) fn built_kubectl(workspace: &Workspace) -> Option<PathBuf> {
    let (sources, folder) = folders(workspace);
    let program = folder.join("kubectl");
    let built_from = fs::read_to_string(folder.join(STAMP)).ok()?;
    (program.is_file() && built_from == stamp(&sources).ok()?).then_some(program)
}

/// The path of kubectl, built now unless it already was.
pub(crate) fn kubectl(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(program) = built_kubectl(workspace) {
        return Ok(program);
    }
    let (sources, folder) = folders(workspace);
    let program = folder.join("kubectl");
    let stamp = stamp(&sources)?;
    let version = kubernetes_version(&fs::read_to_string(sources.join("go.mod"))?)?;
    eprintln!("building kubectl {version} from its Go module; this takes a minute or two, once");
    let start = Instant::now();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let status = Command::new("go")
        .args(["build", "-trimpath", "-ldflags", &linker_flags(&version), "-o"])
        .arg(&program)
        .arg("./kubectl")
        .env("CGO_ENABLED", "0")
        .current_dir(&sources)
        .status()
        .context("cannot run go build")?;
    anyhow::ensure!(status.success(), "go build of kubectl failed; its messages are above");
    fs::write(folder.join(STAMP), stamp).context("cannot write down what kubectl was built from")?;
    eprintln!("built in {:.0} s", start.elapsed().as_secs_f64());
    Ok(program)
}

/// Where its source is, and where it goes.
fn folders(workspace: &Workspace) -> (PathBuf, PathBuf) {
    (workspace.root.join("testassets"), workspace.target.join("testassets"))
}

/// Everything that decides what the build gives.
fn stamp(sources: &Path) -> anyhow::Result<String> {
    let mut stamp = go_version()?;
    for name in SOURCES {
        let file = sources.join(name);
        stamp += &fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(stamp)
}

fn go_version() -> anyhow::Result<String> {
    let install = || format!("cannot run go; install Go {OLDEST_GO} or newer");
    let output = Command::new("go").arg("version").output().with_context(install)?;
    anyhow::ensure!(output.status.success(), "go version failed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The version of Kubernetes that the module's version stands for: v0.34.4 is v1.34.4.
fn kubernetes_version(go_mod: &str) -> anyhow::Result<String> {
    let required =
        go_mod.lines().filter_map(|line| line.trim().trim_start_matches("require ").split_once(' '));
    let version = required
        .filter(|(module, _)| *module == MODULE)
        .find_map(|(_, version)| version.split_whitespace().next()?.strip_prefix("v0."))
        .with_context(|| format!("testassets/go.mod does not require {MODULE} v0.x"))?;
    Ok(format!("v1.{version}"))
}

/// Stamps the version, which a plain build would leave at v0.0.0.
fn linker_flags(version: &str) -> String {
    let minor = version.split('.').nth(1).unwrap_or_default();
    let variable = "-X k8s.io/component-base/version.git";
    format!("-s -w {variable}Version={version} {variable}Major=1 {variable}Minor={minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_kubernetes_follows_from_that_of_the_module() {
        let go_mod =
            "module x\n\nrequire (\n\tk8s.io/kubectl-extra v0.1.2\n\tk8s.io/kubectl v0.34.4 // c\n)\n";
        assert_eq!(kubernetes_version(go_mod).unwrap(), "v1.34.4");
        assert_eq!(kubernetes_version("require k8s.io/kubectl v0.30.1").unwrap(), "v1.30.1");
        assert!(kubernetes_version("require k8s.io/client-go v0.30.1").is_err());
        assert!(linker_flags("v1.34.4").ends_with("gitMinor=34"));
    }
}
