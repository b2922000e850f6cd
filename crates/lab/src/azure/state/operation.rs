//! Which PATCH is still under way, and how did the others end?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::State;
use super::machine::{Attached, Identities};
use crate::azure::arm::delta::Delta;
use crate::azure::clock::later;
use crate::azure::id::{ArmId, fresh_guid, guid};

/// How long the status of a finished operation can still be asked for.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The operations by id.
#[derive(Default)]
pub(crate) struct Operations(BTreeMap<String, Operation>);

/// A change of a machine's identities that takes its time.
pub(crate) struct Operation {
    pub(crate) machine: ArmId,
    pub(crate) started: Timestamp,
    pub(crate) ends: Timestamp,
    pub(crate) status: Status,
    delta: Delta,
    fate: Option<Failure>,
}

/// How an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Succeeded,
    Failed(Failure),
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

// === impl Operations ===

impl Operations {
    pub(crate) fn get(&self, id: &str) -> Option<&Operation> {
        self.0.get(id)
    }

    /// Whether an operation runs on the machine.
    pub(crate) fn run_on(&self, machine: &ArmId) -> bool {
        self.0.values().any(|operation| operation.status == Status::Running && operation.machine == *machine)
    }

    /// The running operation that ends first, if that is not in the future.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<String> {
        self.0
            .iter()
            .filter(|(_, operation)| operation.status == Status::Running && operation.ends <= now)
            .min_by_key(|(_, operation)| (operation.ends, operation.started))
            .map(|(id, _)| id.clone())
    }
}

// === impl State ===

impl State {
    /// Starts a change, and finishes it at once where operations take no time. `fate` makes it fail in the end.
    pub(crate) fn begin(
        &mut self,
        machine: ArmId,
        delta: Delta,
        fate: Option<Failure>,
        now: Timestamp,
    ) -> (String, Status) {
        self.operations.0.retain(|_, old| {
            old.status == Status::Running || now.duration_since(old.ends).unsigned_abs() < REMEMBERED
        });
        let id = fresh_guid();
        let ends = later(now, self.settings.assignment.patch);
        let operation = Operation { machine, started: now, ends, status: Status::Running, delta, fate };
        self.operations.0.insert(id.clone(), operation);
        self.settle(now);
        let status = self.operations.get(&id).map_or(Status::Running, |operation| operation.status.clone());
        (id, status)
    }

    /// Brings an operation to its end.
    pub(crate) fn finish(&mut self, id: &str) {
        let Some(operation) = self.operations.0.get(id) else { return };
        let (machine, ends) = (operation.machine.clone(), operation.ends);
        let outcome = match &operation.fate {
            Some(failure) => Err(failure.clone()),
            None => self.carry_out(&machine, &operation.delta.clone(), ends),
        };
        if let Some(operation) = self.operations.0.get_mut(id) {
            operation.status = outcome.map_or_else(Status::Failed, |()| Status::Succeeded);
        }
    }

    fn carry_out(&mut self, machine: &ArmId, delta: &Delta, at: Timestamp) -> Result<(), Failure> {
        let failed = |code: &str, message: String| Failure { code: code.to_owned(), message };
        let known = self
            .machines
            .get(machine)
            .ok_or_else(|| failed("ResourceNotFound", format!("The Resource '{machine}' was not found.")))?;
        let next = delta
            .apply_to(&known.identity)
            .map_err(|_| failed("Conflict", format!("'{machine}' was changed by another operation.")))?;
        let before = known.identity.clone();
        let mut after = Identities::default();
        for id in next.users {
            let (id, attached) = match (before.users.get_key_value(&id), self.identities.get(&id)) {
                (Some((known, kept)), _) => (known.clone(), kept.clone()),
                // Spelled as the identity is, whatever the request wrote.
                (None, Some(identity)) => (
                    identity.id.clone(),
                    Attached {
                        client_id: identity.client_id.clone(),
                        principal_id: identity.principal_id.clone(),
                        since: at,
                    },
                ),
                (None, None) => {
                    let gone = format!("Resource '{id}' was not found.");
                    return Err(failed("FailedIdentityOperation", gone));
                }
            };
            after.users.insert(id, attached);
        }
        if next.system {
            after.system = Some(before.system.unwrap_or_else(|| self.new_system_identity(machine, at)));
        }
        if let Some(machine) = self.machines.get_mut(machine) {
            machine.identity = after;
            machine.revision += 1;
        }
        Ok(())
    }

    /// The identity of the machine itself.
    pub(crate) fn new_system_identity(&mut self, machine: &ArmId, since: Timestamp) -> Attached {
        self.identities_made += 1;
        let made = self.identities_made.to_string();
        let id = |part: &str| guid(&["system", machine.as_str(), &made, part]);
        Attached { client_id: id("client"), principal_id: id("principal"), since }
    }
}
