//! Which identities of a target are set aside because ARM refused them, and until when?
//!
//! A refused identity waits alone, longer each time, while the others go on (peer contract §3.5). When
//! a refusal names nobody, the additions are halved until the culprit is alone. Those whose wait is over
//! are tried together, apart from all others and not too often: a crowd of identities that ARM will
//! never accept must cost few writes, and delay nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use podid_core::assign::Identities;
use podid_core::ids::IdentityResourceId;
use podid_core::retry::{Policy, backoff};
use tokio::time::Instant;

/// Least time between a trial that failed and the next one of the same target.
const TRIALS: Duration = Duration::from_secs(2);

/// Identities that are set aside.
#[derive(Debug)]
pub(crate) struct Bars {
    policy: Policy,
    refused: BTreeMap<IdentityResourceId, Bar>,
    /// Halves that wait while the others are searched for a culprit, the next one last.
    halves: Vec<Identities>,
    /// No refused identity is tried again before.
    trial_at: Option<Instant>,
}

#[derive(Debug)]
struct Bar {
    failures: u32,
    until: Instant,
}

// === impl Bars ===

impl Bars {
    /// Nothing is set aside; the first wait is `first`, and each further one twice as long.
    pub(crate) fn new(first: Duration) -> Self {
        let longest = Duration::from_mins(10);
        let policy = Policy { attempts: u32::MAX, base: first, cap: longest, patience: Duration::MAX };
        Self { policy, refused: BTreeMap::new(), halves: Vec::new(), trial_at: None }
    }

    /// What must not be added now, beside those that were never refused.
    pub(crate) fn suspects(&self) -> Identities {
        self.refused.keys().chain(self.halves.iter().flatten()).cloned().collect()
    }

    /// What must not be added now, when there is nothing else to add.
    pub(crate) fn barred(&self, now: Instant) -> Identities {
        if self.trial_at.is_some_and(|at| at > now) {
            return self.suspects();
        }
        let refused = self.refused.iter().filter(|(_, bar)| bar.until > now).map(|(id, _)| id);
        refused.chain(self.halves.iter().flatten()).cloned().collect()
    }

    /// How many are set aside because they were refused.
    pub(crate) fn count(&self, now: Instant) -> usize {
        self.refused.values().filter(|bar| bar.until > now).count()
    }

    /// When the next one of `needed` may be tried again.
    pub(crate) fn next(&self, needed: &Identities, now: Instant) -> Option<Instant> {
        let waiting = self.refused.iter().filter(|(id, _)| needed.contains(*id)).map(|(_, bar)| bar.until);
        let until = waiting.map(|until| self.trial_at.map_or(until, |at| until.max(at))).min();
        until.filter(|until| *until > now)
    }

    /// ARM refused a PATCH that added `tried` and blamed `named`. Returns who is set aside for it now;
    /// nobody while the culprit is still searched.
    pub(crate) fn refuse(
        &mut self,
        tried: &[IdentityResourceId],
        named: &Identities,
        now: Instant,
    ) -> Vec<IdentityResourceId> {
        let blamed: Vec<_> = tried.iter().filter(|id| named.contains(*id)).cloned().collect();
        let culprits = match (blamed.as_slice(), tried) {
            ([], [only]) => vec![only.clone()],
            ([], _) => {
                self.halves.push(tried[tried.len().div_ceil(2)..].iter().cloned().collect());
                return Vec::new();
            }
            _ => blamed,
        };
        if tried.iter().any(|id| self.refused.contains_key(id)) {
            self.trial_at = Some(now + TRIALS);
        }
        for id in &culprits {
            let failures = self.refused.get(id).map_or(1, |bar| bar.failures.saturating_add(1));
            let until = now + backoff(&self.policy, failures, spread(id.folded()));
            self.refused.insert(id.clone(), Bar { failures, until });
        }
        self.halves.pop();
        culprits
    }

    /// A PATCH that added `added` succeeded.
    pub(crate) fn accept(&mut self, added: &[IdentityResourceId]) {
        for id in added {
            self.refused.remove(id);
        }
        self.halves.pop();
    }
}

/// A number from 0 to 1 that is the same for the same text, so that many of them are spread evenly.
pub(crate) fn spread(text: &str) -> f64 {
    let hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    f64::from(hash) / f64::from(u32::MAX)
}
