//! Which of the machine's identities does a token request mean?

use std::time::Duration;

use jiff::Timestamp;

use crate::azure::clock::later;
use crate::azure::id::ArmId;
use crate::azure::state::State;
use crate::azure::state::machine::Attached;
use crate::azure::state::network::Host;

/// How a caller names an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// Not at all.
    Default,
    ClientId(String),
    ObjectId(String),
    ResourceId(ArmId),
}

/// The identity that was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) client_id: String,
    pub(super) principal_id: String,
    /// The managed identity, or the machine for its own.
    pub(super) resource: ArmId,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSelected {
    /// Not on this machine, or not that IMDS knew.
    NotFound,
    /// Nothing was named, and there are several.
    Ambiguous,
}

/// The identity that a request from `host` means at `now`.
pub(super) fn select(
    state: &State,
    host: &Host,
    selector: &Selector,
    now: Timestamp,
) -> Result<Selected, NotSelected> {
    let machine = state.machines.get(&host.machine).ok_or(NotSelected::NotFound)?;
    let propagation = state.settings.assignment.propagation;
    let selected = |id: &ArmId, attached: &Attached| Selected {
        client_id: attached.client_id.clone(),
        principal_id: attached.principal_id.clone(),
        resource: id.clone(),
    };
    let system = machine.identity.system.iter().filter(|attached| is_known(attached, propagation, now));
    let mut system = system.map(|attached| selected(&machine.id, attached));
    let users = machine.identity.users.iter().filter(|(id, attached)| {
        // One that was deleted, and perhaps made again, is not this one.
        let alive = state.identities.get(id).is_some_and(|made| made.principal_id == attached.principal_id);
        alive && is_known(attached, propagation, now)
    });
    let mut users = users.map(|(id, attached)| selected(id, attached));
    let wanted = match selector {
        Selector::Default => {
            return match (system.next(), users.next(), users.next()) {
                (Some(own), _, _) | (None, Some(own), None) => Ok(own),
                (None, Some(_), Some(_)) => Err(NotSelected::Ambiguous),
                (None, None, _) => Err(NotSelected::NotFound),
            };
        }
        Selector::ClientId(id) => system.chain(users).find(|known| known.client_id.eq_ignore_ascii_case(id)),
        Selector::ObjectId(id) => {
            system.chain(users).find(|known| known.principal_id.eq_ignore_ascii_case(id))
        }
        Selector::ResourceId(id) => users.find(|known| known.resource == *id),
    };
    wanted.ok_or(NotSelected::NotFound)
}

/// Whether IMDS has heard of the assignment.
fn is_known(attached: &Attached, propagation: Duration, now: Timestamp) -> bool {
    later(attached.since, propagation) <= now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::settings::Settings;
    use crate::azure::state::machine::{Kind, Machine};

    const CALLER: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm";

    fn world(users: &[&str], system: bool) -> (State, Host) {
        let mut state = State::new(Settings::default());
        state.settings.assignment.propagation = Duration::from_secs(10);
        let id = ArmId::new(CALLER);
        let mut machine = Machine::new(id.clone(), Kind::VirtualMachine);
        for name in users {
            let made = state.create_identity(identity(name));
            let since = Timestamp::UNIX_EPOCH;
            let attached = Attached { client_id: made.client_id, principal_id: made.principal_id, since };
            machine.identity.users.insert(made.id, attached);
        }
        if system {
            machine.identity.system = Some(state.new_system_identity(&id, Timestamp::UNIX_EPOCH));
        }
        state.machines.insert(id.clone(), machine);
        (state, Host { machine: id, instance: None })
    }

    fn identity(name: &str) -> ArmId {
        ArmId::group("s", "rg").resource("Microsoft.ManagedIdentity/userAssignedIdentities", name)
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn named(users: &[&str], system: bool, selector: &Selector) -> Result<String, NotSelected> {
        let (state, host) = world(users, system);
        select(&state, &host, selector, after(10)).map(|selected| selected.resource.name().to_owned())
    }

    #[test]
    fn the_default_is_the_machines_own_identity_else_the_only_one() {
        assert_eq!(named(&["a", "b"], true, &Selector::Default), Ok("vm".into()));
        assert_eq!(named(&["a"], false, &Selector::Default), Ok("a".into()));
        assert_eq!(named(&["a", "b"], false, &Selector::Default), Err(NotSelected::Ambiguous));
        assert_eq!(named(&[], false, &Selector::Default), Err(NotSelected::NotFound));
    }

    #[test]
    fn an_identity_is_found_by_any_of_its_ids_in_any_case() {
        let (state, host) = world(&["a", "b"], true);
        let made = &state.identities[&identity("b")];
        for selector in [
            Selector::ClientId(made.client_id.to_uppercase()),
            Selector::ObjectId(made.principal_id.to_uppercase()),
            Selector::ResourceId(ArmId::new(made.id.as_str().to_uppercase())),
        ] {
            let selected = select(&state, &host, &selector, after(10)).unwrap();
            assert_eq!(selected.resource, identity("b"));
        }
        let other = Selector::ResourceId(identity("c"));
        assert_eq!(select(&state, &host, &other, after(10)), Err(NotSelected::NotFound));
    }

    #[test]
    fn an_assignment_takes_its_time_to_reach_imds() {
        let (state, host) = world(&["a"], false);
        assert_eq!(select(&state, &host, &Selector::Default, after(9)), Err(NotSelected::NotFound));
        assert!(select(&state, &host, &Selector::Default, after(10)).is_ok());
    }

    #[test]
    fn an_identity_made_again_under_the_same_name_is_another_one() {
        let (mut state, host) = world(&["a"], false);
        state.identities.remove(&identity("a"));
        assert_eq!(select(&state, &host, &Selector::Default, after(10)), Err(NotSelected::NotFound));
        state.create_identity(identity("a"));
        assert_eq!(select(&state, &host, &Selector::Default, after(10)), Err(NotSelected::NotFound));
    }
}
