//! Which tokens does nobody on this node need any more?
//!
//! Who may have a token is decided for each request, so none of them would be served. They are dropped all
//! the same: what is not there cannot leak, and makes room.

use std::collections::HashSet;

use podid_core::facts::IdentityKind;

use super::{Key, Source};
use crate::snapshot::Snapshot;

impl Source {
    /// Drops the tokens of identities that no binding names, or that do not exist any more or not like this.
    pub(crate) fn forget_all_but(&self, snapshot: &Snapshot) {
        let (mut managed, mut principals) = (HashSet::new(), HashSet::new());
        for binding in snapshot.bindings.values().flatten() {
            let Some(identity) = snapshot.identities.get(&binding.identity_id()) else { continue };
            match &identity.kind {
                Ok(IdentityKind::Managed { resource_id, .. }) => _ = managed.insert(resource_id),
                Ok(IdentityKind::ServicePrincipal { .. }) => {
                    principals.insert((&identity.uid, identity.spec_hash));
                }
                Err(_) => {}
            }
        }
        self.tokens.retain(|key| match key {
            Key::Managed { id, .. } => managed.contains(id),
            Key::Principal { identity, spec_hash, .. } => principals.contains(&(identity, *spec_hash)),
        });
    }

    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.tokens.len()
    }
}
