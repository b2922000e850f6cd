//! Which one line tells how a node is?

use jiff::Timestamp;
use serde_json::Value;

use super::age::since;
use super::{Column, or_none};

const ROLE: &str = "node-role.kubernetes.io/";

pub(super) const COLUMNS: &[Column] = &[
    Column::text("Name"),
    Column::text("Status"),
    Column::text("Roles"),
    Column::text("Age"),
    Column::text("Version"),
    Column::text("Internal-IP").wide(),
    Column::text("External-IP").wide(),
    Column::text("OS-Image").wide(),
    Column::text("Kernel-Version").wide(),
    Column::text("Container-Runtime").wide(),
];

pub(super) fn cells(node: &Value, now: Timestamp) -> Vec<Value> {
    let system = &node["status"]["nodeInfo"];
    let named = |value: &Value| if value.is_string() { value.clone() } else { "<unknown>".into() };
    vec![
        node["metadata"]["name"].clone(),
        state(node).into(),
        roles(node).into(),
        since(&node["metadata"]["creationTimestamp"], now).into(),
        system["kubeletVersion"].clone(),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        named(&system["osImage"]),
        named(&system["kernelVersion"]),
        named(&system["containerRuntimeVersion"]),
    ]
}

fn state(node: &Value) -> String {
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready =
        conditions.find(|condition| condition["type"] == "Ready").map(|condition| &condition["status"]);
    let ready = match ready.and_then(Value::as_str) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = if node["spec"]["unschedulable"] == true { ",SchedulingDisabled" } else { "" };
    format!("{ready}{cordoned}")
}

fn roles(node: &Value) -> String {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let roles: Vec<&str> =
        labels.filter_map(|(key, _)| key.strip_prefix(ROLE)).filter(|role| !role.is_empty()).collect();
    if roles.is_empty() { "<none>".into() } else { roles.join(",") }
}

fn address(node: &Value, kind: &str) -> Value {
    let mut addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    or_none(
        addresses.find(|address| address["type"] == kind).map_or(&Value::Null, |address| &address["address"]),
    )
}
