//! Where does the C compiler for the image's platforms come from?
//!
//! From Zig, which is one for every platform, and `cargo-zigbuild`, which hands it to cargo. Both are packages
//! of Python's index, so pip brings them, with their hashes checked, into a folder of ours: no root, no
//! package of the distribution. Nothing but `cargo xtask image` needs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::workspace::Workspace;

/// What pip installs: exact versions and hashes.
const PACKAGES: &str = include_str!("tools.txt");

/// Paths of the two programs.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) cargo_zigbuild: PathBuf,
    pub(crate) zig: PathBuf,
}

/// Installs them unless they are there in the versions that we name.
pub(crate) fn install(workspace: &Workspace) -> anyhow::Result<Tools> {
    let tools = workspace.target.join("tools");
    let (folder, stamp) = (tools.join("zig"), tools.join("zig/installed.txt"));
    if fs::read_to_string(&stamp).ok().as_deref() != Some(PACKAGES) {
        eprintln!("bringing Zig and cargo-zigbuild into {} (100 MB, once)", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let wanted = folder.join("wanted.txt");
        fs::write(&wanted, PACKAGES).with_context(|| format!("cannot write {}", wanted.display()))?;
        pip(&wanted, &folder)?;
        fs::rename(&wanted, &stamp).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(Tools { cargo_zigbuild: folder.join("bin/cargo-zigbuild"), zig: folder.join("ziglang/zig") })
}

fn pip(wanted: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement"]).arg(wanted);
    pip.arg("--target").arg(folder).env("PIP_ROOT_USER_ACTION", "ignore");
    let status =
        pip.status().context("cannot run python3; pip is what brings Zig, so install python3-pip")?;
    anyhow::ensure!(status.success(), "pip could not bring Zig; see above. Is python3-pip installed?");
    Ok(())
}
