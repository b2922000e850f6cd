//! Which identities of ours did somebody else take off the target, and which came back?

use podid_core::assign::{Identities, Ledger, Present};
use podid_core::ids::IdentityResourceId;

/// Identities that vanished and are not back.
#[derive(Debug, Default)]
pub(super) struct Drift {
    lost: Identities,
}

// === impl Drift ===

impl Drift {
    /// What the ledger knows, was there and is there no longer, though no PATCH of ours may have removed it.
    pub(super) fn look(
        &mut self,
        before: &Present,
        doubtful: &Identities,
        after: &Present,
        ledger: &Ledger,
    ) -> Vec<IdentityResourceId> {
        let gone = before.identities.keys().filter(|id| !after.identities.contains_key(*id));
        let lost = gone.filter(|id| ledger.knows(id) && !doubtful.contains(*id));
        let lost: Vec<_> = lost.cloned().collect();
        self.lost.extend(lost.iter().cloned());
        lost
    }

    /// A PATCH put `added` there: those of them that had vanished.
    pub(super) fn repaired(&mut self, added: &[IdentityResourceId]) -> Vec<IdentityResourceId> {
        added.iter().filter(|id| self.lost.remove(*id)).cloned().collect()
    }
}
