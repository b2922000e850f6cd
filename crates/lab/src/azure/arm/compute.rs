//! What does ARM show of virtual machines and scale sets?

use serde_json::{Map, Value, json};

use super::authorize;
use super::error::{group_not_found, not_found};
use crate::azure::id::{ArmId, guid};
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::machine::{Identities, Instance, Kind, Machine};
use crate::azure::token::Bearer;

const READ_INSTANCE: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read";

pub(super) fn list(state: &State, caller: &Bearer, scope: &ArmId, kind: Kind) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{}/read", kind.resource_type()), scope)?;
    if let (Some(name), false) = (scope.group_name(), state.groups.contains(scope)) {
        return Err(group_not_found(name));
    }
    let machines = state.machines.values().filter(|known| known.kind == kind && known.id.is_within(scope));
    let value: Vec<_> = machines.map(|machine| view(state, machine)).collect();
    let detail = format!("{} found", value.len());
    Ok(Reply::json(200, &json!({"value": value})).detail(detail))
}

pub(super) fn get(state: &State, caller: &Bearer, id: &ArmId, kind: Kind) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{}/read", kind.resource_type()), id)?;
    let machine = state.machines.get(id).ok_or_else(|| not_found(id))?;
    Ok(show(state, machine, 200))
}

pub(super) fn list_instances(state: &State, caller: &Bearer, set: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, READ_INSTANCE, set)?;
    let machine = state.machines.get(set).ok_or_else(|| not_found(set))?;
    let value: Vec<_> =
        machine.instances.iter().map(|instance| instance_view(state, machine, instance)).collect();
    Ok(Reply::json(200, &json!({"value": value})))
}

pub(super) fn get_instance(state: &State, caller: &Bearer, set: &ArmId, id: &str) -> Result<Reply, Reply> {
    authorize(state, caller, READ_INSTANCE, set)?;
    let machine = state.machines.get(set).ok_or_else(|| not_found(set))?;
    let instance = machine.instances.iter().find(|instance| instance.id == id);
    let instance = instance.ok_or_else(|| not_found(&set.child("virtualMachines", id)))?;
    Ok(Reply::json(200, &instance_view(state, machine, instance)))
}

/// The machine with its entity tag.
pub(super) fn show(state: &State, machine: &Machine, status: u16) -> Reply {
    Reply::json(status, &view(state, machine))
        .header("etag", machine.etag())
        .header("x-ms-ratelimit-remaining-resource", remaining(machine.kind))
        .detail(describe(&machine.identity))
}

/// How the identities of a machine read in a trace.
fn describe(identities: &Identities) -> String {
    let users: Vec<_> = identities.users.keys().map(ArmId::name).collect();
    format!(
        "{}: {}",
        identities.kind().name(),
        if users.is_empty() { "-".to_owned() } else { users.join(", ") }
    )
}

fn view(state: &State, machine: &Machine) -> Value {
    let busy = state.operations.run_on(&machine.id);
    let mut view = json!({
        "id": machine.id.as_str(),
        "name": machine.id.name(),
        "type": machine.kind.resource_type(),
        "location": state.settings.location,
        "etag": machine.etag(),
        "properties": {"provisioningState": if busy { "Updating" } else { "Succeeded" }},
    });
    match machine.kind {
        Kind::VirtualMachine => view["properties"]["vmId"] = json!(guid(&["vm", machine.id.as_str()])),
        Kind::ScaleSet => {
            let capacity = machine.instances.len();
            view["sku"] = json!({"name": "Standard_D2s_v5", "tier": "Standard", "capacity": capacity});
            view["properties"]["uniqueId"] = json!(guid(&["set", machine.id.as_str()]));
        }
    }
    if let Some(identity) = identity_view(&machine.identity, &state.settings.tenant) {
        view["identity"] = identity;
    }
    view
}

/// The `identity` block; absent where the machine has none.
fn identity_view(identities: &Identities, tenant: &str) -> Option<Value> {
    if *identities == Identities::default() {
        return None;
    }
    let mut view = json!({"type": identities.kind().name()});
    if let Some(system) = &identities.system {
        view["principalId"] = json!(system.principal_id);
        view["tenantId"] = json!(tenant);
    }
    if !identities.users.is_empty() {
        let users = identities.users.iter().map(|(id, attached)| {
            let inner = json!({"principalId": attached.principal_id, "clientId": attached.client_id});
            (id.as_compute_writes_it(), inner)
        });
        view["userAssignedIdentities"] = Value::Object(users.collect::<Map<_, _>>());
    }
    Some(view)
}

fn instance_view(state: &State, machine: &Machine, instance: &Instance) -> Value {
    let id = machine.id.child("virtualMachines", &instance.id);
    json!({
        "id": id.as_str(),
        "name": format!("{}_{}", machine.id.name(), instance.id),
        "instanceId": instance.id,
        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
        "location": state.settings.location,
        "properties": {
            "provisioningState": "Succeeded",
            "latestModelApplied": true,
            "vmId": guid(&["vm", id.as_str()]),
            "osProfile": {"computerName": instance.computer_name},
        },
    })
}

/// Compute's own quota header.
fn remaining(kind: Kind) -> &'static str {
    match kind {
        Kind::VirtualMachine => {
            "Microsoft.Compute/LowCostGetSubscriptionMaximum;3999,Microsoft.Compute/PutVM3Min;237"
        }
        Kind::ScaleSet => {
            "Microsoft.Compute/HighCostGetVMScaleSet3Min;179,Microsoft.Compute/VMScaleSetUpdate3Min;59"
        }
    }
}
