//! What exists in the simulated Azure? The one owner of everything that changes.

pub(crate) mod budget;
pub(crate) mod clusters;
pub(crate) mod directory;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod operation;
pub(crate) mod roles;
pub(crate) mod vaults;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::fault::Faults;
use super::id::ArmId;
use super::settings::Settings;
use budget::Budgets;
use clusters::ManagedCluster;
use directory::{Applications, ManagedIdentity};
use machine::Machine;
use network::Network;
use operation::Operations;
use roles::Roles;
use vaults::Vault;

/// Everything that exists. Changed only by its own methods, under the lock of `Azure`.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) subscriptions: BTreeSet<ArmId>,
    pub(crate) groups: BTreeSet<ArmId>,
    pub(crate) machines: BTreeMap<ArmId, Machine>,
    pub(crate) identities: BTreeMap<ArmId, ManagedIdentity>,
    pub(crate) clusters: BTreeMap<ArmId, ManagedCluster>,
    pub(crate) applications: Applications,
    pub(crate) vaults: BTreeMap<String, Vault>,
    pub(crate) roles: Roles,
    pub(crate) network: Network,
    pub(crate) operations: Operations,
    pub(crate) budgets: Budgets,
    pub(crate) faults: Faults,
    /// ARM's addresses for people outside, which are audiences of tokens as well.
    pub(crate) doors: Vec<String>,
    /// How many managed identities were ever made, so that one made again gets new ids.
    pub(crate) identities_made: u64,
}

// === impl State ===

impl State {
    pub(crate) fn new(mut settings: Settings) -> Self {
        let faults = Faults::new(std::mem::take(&mut settings.faults));
        Self {
            subscriptions: BTreeSet::from([ArmId::subscription(&settings.subscription)]),
            settings,
            groups: BTreeSet::new(),
            machines: BTreeMap::new(),
            identities: BTreeMap::new(),
            clusters: BTreeMap::new(),
            applications: Applications::default(),
            vaults: BTreeMap::new(),
            roles: Roles::default(),
            network: Network::default(),
            operations: Operations::default(),
            budgets: Budgets::default(),
            faults,
            doors: Vec::new(),
            identities_made: 0,
        }
    }

    /// Finishes the operations that are due, in the order of their ends.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.roles.settle(now);
        while let Some(id) = self.operations.next_due(now) {
            self.finish(&id);
        }
    }

    /// Lets tokens be asked for, and presented, at an address of ARM's.
    pub(crate) fn open_door(&mut self, address: &str) {
        self.settings.resources.push(address.to_owned());
        self.doors.extend([address.to_owned(), format!("{address}/")]);
    }

    /// Whether somebody with this object id exists: a managed identity, a machine or an application.
    pub(crate) fn knows_principal(&self, object_id: &str) -> bool {
        self.identities.values().any(|identity| identity.principal_id == object_id)
            || self.machines.values().any(|machine| {
                machine.identity.system.as_ref().is_some_and(|system| system.principal_id == object_id)
            })
            || self.applications.knows_principal(object_id)
            || self.clusters.values().any(|cluster| cluster.principal_id() == object_id)
    }
}
