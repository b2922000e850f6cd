//! Which identities of a target does nobody need any more, and since when?
//!
//! They stay for a while where that is wanted: a rolling restart, which takes the last user away and
//! brings it back, then costs no PATCH at all. The wait begins anew when the process does.

use std::collections::BTreeMap;
use std::time::Duration;

use podid_core::assign::{Identities, Ledger, Wish};
use podid_core::ids::IdentityResourceId;
use tokio::time::Instant;

/// Identities that podid put there and nobody needs.
#[derive(Debug)]
pub(crate) struct Idle {
    stay: Duration,
    since: BTreeMap<IdentityResourceId, Instant>,
    /// Those that have stayed long enough.
    due: Identities,
}

// === impl Idle ===

impl Idle {
    /// Nobody is idle; those who will be stay for `stay`.
    pub(crate) fn new(stay: Duration) -> Self {
        Self { stay, since: BTreeMap::new(), due: Identities::new() }
    }

    /// Takes in who is needed now. Returns those that stay although nobody needs them.
    pub(crate) fn look(&mut self, wish: &Wish, ledger: &Ledger, now: Instant) -> Identities {
        let idle = |id: &IdentityResourceId| !wish.needed.contains(id);
        self.since.retain(|id, _| idle(id));
        for id in ledger.put.iter().filter(|id| idle(id)) {
            self.since.entry(id.clone()).or_insert(now);
        }
        let (due, staying) =
            self.since.iter().partition::<Vec<_>, _>(|(_, since)| **since + self.stay <= now);
        self.due = due.into_iter().map(|(id, _)| id.clone()).collect();
        staying.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Whether `id`, which nobody needs, goes now.
    pub(crate) fn goes(&self, id: &IdentityResourceId) -> bool {
        self.stay.is_zero() || self.due.contains(id)
    }

    /// `id` is off the target.
    pub(crate) fn gone(&mut self, id: &IdentityResourceId) {
        self.since.remove(id);
    }

    /// When the next one has stayed long enough.
    pub(crate) fn next(&self, now: Instant) -> Option<Instant> {
        self.since.values().map(|since| *since + self.stay).filter(|at| *at > now).min()
    }
}
