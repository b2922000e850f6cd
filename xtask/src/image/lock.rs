//! Which checksum does Cargo.lock give each package?

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// SHA-256 by name and version, for all packages that come from a registry.
pub(crate) fn parse(text: &str) -> anyhow::Result<BTreeMap<(String, String), String>> {
    let lock: Lock = toml::from_str(text).context("Cargo.lock is not as expected")?;
    let with_checksum = |package: Package| Some(((package.name, package.version), package.checksum?));
    Ok(lock.package.into_iter().filter_map(with_checksum).collect())
}
