//! What was done to VMs and scale sets, and what did others do to them?

use podid_runtime::metrics::PlainCounter;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::news::News;

/// PATCHes, refusals and drift.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    patches: PlainCounter,
    identities: Family<ChangeLabels, PlainCounter>,
    coalesced: PlainCounter,
    refusals: PlainCounter,
    troubles: PlainCounter,
    drift_found: PlainCounter,
    drift_repaired: PlainCounter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    change: &'static str,
}

const ADDED: ChangeLabels = ChangeLabels { change: "added" };
const REMOVED: ChangeLabels = ChangeLabels { change: "removed" };

// === impl Targets ===

impl Targets {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let counter = |registry: &mut Registry, name: &'static str, help: &'static str| {
            let counter = PlainCounter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let identities = Family::<ChangeLabels, PlainCounter>::default();
        drop(identities.get_or_create(&ADDED));
        drop(identities.get_or_create(&REMOVED));
        registry.register(
            "mic_patched_identities_total",
            "Identities that were put on VMs and scale sets (added) or taken off them (removed)",
            identities.clone(),
        );
        Self {
            patches: counter(registry, "mic_patches_total", "PATCHes of VMs and scale sets that succeeded"),
            identities,
            coalesced: counter(
                registry,
                "mic_coalesced_total",
                "Pods and bindings that needed no PATCH of their own because one for another served them, too",
            ),
            refusals: counter(
                registry,
                "mic_identity_refusals_total",
                "How often ARM refused an identity, which was set aside for it",
            ),
            troubles: counter(
                registry,
                "mic_target_troubles_total",
                "How often a VM or scale set could not be read or written, which was left alone for a while",
            ),
            drift_found: counter(
                registry,
                "mic_drift_found_total",
                "Identities of podid that somebody else took off a VM or scale set",
            ),
            drift_repaired: counter(
                registry,
                "mic_drift_repaired_total",
                "Identities that somebody else took off a VM or scale set and that were put back",
            ),
        }
    }

    /// Counts what happened.
    pub(super) fn count(&self, news: &News) {
        match news {
            News::Patched { add, remove, users, .. } => {
                self.patches.inc();
                self.identities.get_or_create(&ADDED).inc_by(amount(add.len()));
                self.identities.get_or_create(&REMOVED).inc_by(amount(remove.len()));
                self.coalesced.inc_by(amount(users.saturating_sub(1)));
            }
            News::Refused { .. } => self.refusals.inc(),
            News::Trouble { .. } => self.troubles.inc(),
            News::Drifted { ids, .. } => self.drift_found.inc_by(amount(ids.len())),
            News::Repaired { ids, .. } => self.drift_repaired.inc_by(amount(ids.len())),
            News::Recorded(..)
            | News::Assigned(_)
            | News::Removed(_)
            | News::WriteFailed(..)
            | News::Unplaceable { .. }
            | News::InvalidIdentity { .. } => {}
        }
    }
}

fn amount(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
