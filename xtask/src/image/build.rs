//! How is the image's binary built?
//!
//! Statically, with musl, without the lab, in the profile `dist`. Paths of this machine are replaced, so that
//! the same sources give the same bytes wherever they lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::platform::Platform;
use super::tools;
use crate::workspace::Workspace;

/// Builds podid and returns the path of the binary. `time` is for whatever writes one into it.
pub(crate) fn binary(workspace: &Workspace, platform: Platform, time: u64) -> anyhow::Result<PathBuf> {
    let target = platform.target();
    require_target(workspace, target)?;
    let tools = tools::install(workspace)?;
    eprintln!("building podid for {platform}; this takes several minutes");
    let mut build = workspace.command(
        &tools.cargo_zigbuild,
        [
            "zigbuild",
            "--locked",
            "--package=podid",
            "--no-default-features",
            "--profile=dist",
            "--target",
            target,
        ],
    );
    build.env("CARGO_ZIGBUILD_ZIG_PATH", &tools.zig);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags(&replaced(workspace)?));
    build.env("SOURCE_DATE_EPOCH", time.to_string());
    let status = build.status().context("cannot run cargo-zigbuild")?;
    anyhow::ensure!(status.success(), "podid could not be built for {target}; see above");
    Ok(workspace.target.join(target).join("dist/podid"))
}

/// Installs Rust's standard library for `target` unless it is there.
fn require_target(workspace: &Workspace, target: &str) -> anyhow::Result<()> {
    let library = workspace.command("rustc", ["--print=target-libdir", "--target", target]).output();
    let library = library.context("cannot run rustc")?.stdout;
    if Path::new(String::from_utf8_lossy(&library).trim()).is_dir() {
        return Ok(());
    }
    let added = workspace.command("rustup", ["target", "add", target]).status();
    anyhow::ensure!(
        added.is_ok_and(|status| status.success()),
        "Rust's library for {target} is missing and rustup could not add it; \
         install it as this machine's Rust was installed, then try again"
    );
    Ok(())
}

/// Folders whose place is nobody's business, and what is written instead. The later one wins.
fn replaced(workspace: &Workspace) -> anyhow::Result<[(PathBuf, &'static str); 3]> {
    let home = std::env::home_dir().unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let cargo = std::path::absolute(cargo).context("the folder of cargo has no path")?;
    Ok([(workspace.root.clone(), "/podid"), (workspace.target.clone(), "/target"), (cargo, "/cargo")])
}

/// As cargo reads them from the environment. With Rust's own linker the kernel can put the executable anywhere
/// in memory; with Zig's it cannot.
fn flags(replaced: &[(PathBuf, &str)]) -> String {
    let mut flags = vec!["-Clinker=rust-lld".to_owned()];
    flags.extend(replaced.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())));
    flags.join("\x1f")
}

/// What rustc calls itself.
pub(crate) fn rust_version(workspace: &Workspace) -> anyhow::Result<String> {
    let mut rustc: Command = workspace.command("rustc", ["--version"]);
    let text = String::from_utf8(rustc.output().context("cannot run rustc")?.stdout)?;
    let version = text.split_whitespace().nth(1).context("rustc does not say its version")?;
    Ok(version.to_owned())
}
