//! Which identities may yet appear on a target although ARM says that they are not there?
//!
//! A PATCH whose answer was lost may take effect later: that of a predecessor which died, or one of ours that was not
//! heard of in time. What it may put there is remembered as podid's until that can no longer happen, or an identity
//! that came late would be nobody's and stay for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use podid_core::assign::{Identities, Ledger, Patch};
use tokio::time::Instant;

/// How long ARM may take to begin with a PATCH that it has accepted. Once it has begun, a reading shows the result.
const LATEST: Duration = Duration::from_mins(5);

/// Identities that may appear, and until when.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// Those of a predecessor, until the time is known.
    inherited: Identities,
    until: BTreeMap<podid_core::ids::IdentityResourceId, Instant>,
}

// === impl Arriving ===

impl Arriving {
    /// Everything that the ledger says podid put there, as whoever wrote it may have died right after.
    pub(crate) fn inherited(ledger: &Ledger) -> Self {
        Self { inherited: ledger.put.clone(), until: BTreeMap::new() }
    }

    /// The end of `patch` was not heard of.
    pub(crate) fn doubt(&mut self, patch: &Patch, now: Instant) {
        self.until.extend(patch.add.iter().map(|id| (id.clone(), now + LATEST)));
    }

    /// Those that may have appeared since ARM was read at `read`.
    pub(crate) fn since(&mut self, read: Instant) -> Identities {
        let inherited = std::mem::take(&mut self.inherited);
        self.until.extend(inherited.into_iter().map(|id| (id, read + LATEST)));
        self.until.retain(|_, until| *until > read);
        self.until.keys().cloned().collect()
    }
}
