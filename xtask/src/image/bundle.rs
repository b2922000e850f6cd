//! Which packages are in the binary?
//!
//! Cargo's tree says which: those of the lean binary for one target, without what only runs at build time. Cargo's
//! metadata and Cargo.lock say more about each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::build::rust_version;
use super::lock;
use super::platform::Platform;
use crate::workspace::Workspace;

/// The version of musl's libc that Rust's targets link in.
const MUSL: &str = "1.2.5";

/// All that is in the binary.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) platform: Platform,
    /// The package that is built.
    pub(crate) main: Key,
    /// By name and version.
    pub(crate) packages: BTreeMap<Key, Package>,
    /// What is in it, and is no package.
    pub(crate) libraries: [Library; 2],
}

/// Name and version.
pub(crate) type Key = (String, String);

/// One package.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Licence expression of SPDX.
    pub(crate) licence: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) repository: Option<String>,
    /// SHA-256 of what the registry gave; None for our own packages.
    pub(crate) checksum: Option<String>,
    /// Where its sources lie.
    pub(crate) folder: PathBuf,
    /// The packages that it uses, as far as they are in the binary.
    pub(crate) uses: BTreeSet<Key>,
}

/// A library that is linked in and no package of cargo.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) licence: &'static str,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// Asks cargo what is in the binary for `platform`.
pub(crate) fn read(workspace: &Workspace, platform: Platform) -> anyhow::Result<Bundle> {
    let target = platform.target();
    let mut tree = workspace.cargo(["tree", "--locked", "--package=podid", "--no-default-features"]);
    tree.args(["--target", target, "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"]);
    let tree = tree.output().context("cannot run cargo tree")?;
    let text = String::from_utf8_lossy(&tree.stdout);
    anyhow::ensure!(
        tree.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&tree.stderr).trim()
    );
    let keys: BTreeSet<Key> = text.lines().filter_map(parse).collect();

    let mut metadata = workspace.cargo(["metadata", "--locked", "--format-version=1"]);
    let metadata =
        metadata.args(["--filter-platform", target]).output().context("cannot run cargo metadata")?;
    let metadata =
        serde_json::from_slice(&metadata.stdout).context("cargo metadata printed something unexpected")?;
    let checksums = lock::parse(&fs::read_to_string(workspace.root.join("Cargo.lock"))?)?;
    let packages = describe(&keys, metadata, &checksums);
    anyhow::ensure!(
        packages.len() == keys.len(),
        "cargo's tree and cargo's metadata know different packages"
    );

    let main = ("podid".to_owned(), workspace.version("podid")?);
    anyhow::ensure!(packages.contains_key(&main), "podid is not in its own tree");
    let libraries = [
        Library { name: "rust-std", version: rust_version(workspace)?, licence: "MIT OR Apache-2.0" },
        Library { name: "musl", version: MUSL.to_owned(), licence: "MIT" },
    ];
    Ok(Bundle { platform, main, packages, libraries })
}

/// A line of the tree: "name v1.2.3", perhaps with a path or "(*)" behind it.
fn parse(line: &str) -> Option<Key> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some((name.to_owned(), version.to_owned()))
}

fn describe(
    keys: &BTreeSet<Key>,
    metadata: Metadata,
    checksums: &BTreeMap<Key, String>,
) -> BTreeMap<Key, Package> {
    let key = |package: &Described| (package.name.clone(), package.version.clone());
    let by_id: BTreeMap<_, _> = metadata.packages.iter().map(|it| (it.id.clone(), key(it))).collect();
    let mut uses: BTreeMap<_, BTreeSet<Key>> = BTreeMap::new();
    for node in metadata.resolve.nodes {
        let known = node.dependencies.iter().filter_map(|id| by_id.get(id)).filter(|it| keys.contains(*it));
        uses.insert(node.id, known.cloned().collect());
    }
    let mut packages = BTreeMap::new();
    for it in metadata.packages.into_iter().filter(|it| keys.contains(&key(it))) {
        let key = key(&it);
        let package = Package {
            licence: it.license,
            description: it.description,
            repository: it.repository,
            checksum: checksums.get(&key).cloned(),
            folder: it.manifest_path.parent().map(Path::to_path_buf).unwrap_or_default(),
            uses: uses.remove(&it.id).unwrap_or_default(),
        };
        packages.insert(key, package);
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_tree_is_a_name_and_a_version() {
        let key = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(parse("kube v5.0.0"), key("kube", "5.0.0"));
        assert_eq!(parse("podid-core v0.1.0 (/podid/crates/core)"), key("podid-core", "0.1.0"));
        assert_eq!(parse("toml v1.2.2+spec-1.1.0 (*)"), key("toml", "1.2.2+spec-1.1.0"));
        assert_eq!(parse(""), None);
    }
}
