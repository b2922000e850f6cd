//! Is every dependency allowed here, and is anything known against one?
//!
//! Licences, sources and bans are hard rules. Advisories come from a database on the network: that it cannot be
//! reached, or that somebody published one today, must not stop unrelated work, so it is only said loudly.

use std::path::PathBuf;

use anyhow::Context;

use crate::command;
use crate::tally::{Findings, Tally};
use crate::workspace::Workspace;

/// The release of cargo-deny that reads our `deny.toml`.
const VERSION: &str = "0.20.2";

/// Two checks: the hard rules, and the advisories.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<Findings> {
    let deny = install(workspace)?;
    let rules = ["--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    let mut findings = Findings::from(command::check(workspace.command(&deny, rules))?);
    let advisories = workspace
        .command(&deny, ["--locked", "check", "advisories"])
        .output()
        .context("cannot run cargo-deny")?;
    if advisories.status.success() {
        findings += Tally::PASSED.into();
    } else {
        eprint!("{}", String::from_utf8_lossy(&advisories.stderr));
        findings += Findings::skipped(
            "the dependencies were not cleared of advisories; see the stage deny. This is not a failure.",
        );
    }
    Ok(findings)
}

/// The path of cargo-deny, built now unless it already was.
fn install(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let tools = workspace.target.join("tools");
    let program = tools.join("bin/cargo-deny");
    let version = workspace.command(&program, ["--version"]).output();
    if version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(VERSION)) {
        return Ok(program);
    }
    eprintln!("building cargo-deny {VERSION} into {}; this takes some minutes, once", tools.display());
    let mut install = workspace.cargo(["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION]);
    install.arg("--root").arg(&tools);
    // Its dependencies are not ours; kept out of our build folder they do not grow it either.
    install.env_remove("CARGO_TARGET_DIR");
    let status = install.status().context("cannot run cargo install")?;
    anyhow::ensure!(status.success(), "cargo-deny {VERSION} could not be installed; see above");
    Ok(program)
}
