//! What does a machine learn about itself? `GET /metadata/instance` and everything below it.

use serde_json::{Value, json};

use super::VERSIONS;
use crate::azure::Azure;
use crate::azure::call::Call;
use crate::azure::id::guid;
use crate::azure::reply::Reply;
use crate::azure::state::network::Host;

/// Answers with the whole document, a part of it, or one value as text.
pub(super) fn answer(azure: &Azure, call: &Call, host: &Host, below: &[&str]) -> Reply {
    match call.query.one("api-version") {
        Ok(Some(version)) if VERSIONS.contains(&version) => {}
        Ok(None) => return bad_version("api-version was not specified in the request"),
        _ => return bad_version("api-version is invalid or was not specified in the request"),
    }
    let Some(document) = document(azure, call, host) else {
        return Reply::json(404, &json!({"error": "Not found"})).detail(format!("{} is gone", host.id()));
    };
    let Some(part) = below.iter().try_fold(&document, |part, key| step(part, key)) else {
        return Reply::json(404, &json!({"error": "Not found"})).detail(below.join("/"));
    };
    match (part, call.query.first("format")) {
        (Value::Object(_) | Value::Array(_), None | Some("json")) => Reply::json(200, part),
        (Value::String(text), Some("text")) => Reply::text(200, text.as_str()),
        (Value::String(_), _) => bad("Requested format is not available; a single value needs format=text"),
        _ => bad("Requested format is not available"),
    }
}

fn document(azure: &Azure, call: &Call, host: &Host) -> Option<Value> {
    let state = azure.lock();
    let machine = state.machines.get(&host.machine)?;
    let (name, scale_set, computer_name) = match &host.instance {
        Some(id) => {
            let instance = machine.instances.iter().find(|instance| instance.id == *id)?;
            let set = machine.id.name();
            (format!("{set}_{id}"), set, instance.computer_name.as_str())
        }
        None => (machine.id.name().to_owned(), "", machine.id.name()),
    };
    Some(json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud",
            "location": state.settings.location,
            "name": name,
            "offer": "0001-com-ubuntu-server-jammy",
            "osType": "Linux",
            "osProfile": {"adminUsername": "azureuser", "computerName": computer_name},
            "placementGroupId": "",
            "platformFaultDomain": "0",
            "platformUpdateDomain": "0",
            "provider": "Microsoft.Compute",
            "publisher": "Canonical",
            "resourceGroupName": machine.id.group_name(),
            "resourceId": host.id().as_str(),
            "sku": "22_04-lts-gen2",
            "subscriptionId": machine.id.subscription_id(),
            "tags": "",
            "tagsList": [],
            "version": "22.04.202611010",
            "vmId": guid(&["vm", host.id().as_str()]),
            "vmScaleSetName": scale_set,
            "vmSize": "Standard_D2s_v5",
            "zone": "",
        },
        "network": {"interface": [{
            "ipv4": {
                "ipAddress": [{"privateIpAddress": call.caller.to_string(), "publicIpAddress": ""}],
                "subnet": [{"address": "10.0.0.0", "prefix": "16"}],
            },
            "ipv6": {"ipAddress": []},
            "macAddress": "000D3A000001",
        }]},
    }))
}

fn step<'a>(part: &'a Value, key: &str) -> Option<&'a Value> {
    match part {
        Value::Object(fields) => {
            fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
        }
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn bad_version(what: &str) -> Reply {
    let error = format!("Bad request. {what}. For more information refer to aka.ms/azureimds");
    Reply::json(400, &json!({"error": error, "newest-versions": &VERSIONS[..3]})).detail(what)
}

fn bad(text: &str) -> Reply {
    Reply::json(400, &json!({"error": format!("Bad request. {text}")})).detail(text)
}
