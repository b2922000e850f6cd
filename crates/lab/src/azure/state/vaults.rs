//! Which secrets does a key vault hold?

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::azure::id::ArmId;

/// A key vault with role-based access.
pub(crate) struct Vault {
    pub(crate) id: ArmId,
    /// Versions of each secret by lower-case name, the newest last.
    secrets: BTreeMap<String, Vec<Version>>,
}

/// One version of a secret.
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) created: Timestamp,
}

// === impl Vault ===

impl Vault {
    pub(crate) fn new(id: ArmId) -> Self {
        Self { id, secrets: BTreeMap::new() }
    }

    pub(crate) fn set(&mut self, name: &str, version: Version) {
        self.secrets.entry(name.to_ascii_lowercase()).or_default().push(version);
    }

    /// The version asked for, or the newest.
    pub(crate) fn get(&self, name: &str, version: Option<&str>) -> Option<&Version> {
        let versions = self.secrets.get(&name.to_ascii_lowercase())?;
        match version {
            Some(wanted) => versions.iter().find(|known| known.id == wanted),
            None => versions.last(),
        }
    }
}
