//! What does Azure Policy have to be told?
//!
//! The parameters of the built-in policy on capabilities. It compares names with their case, does not
//! take `drop: [ALL]` for a drop of `NET_RAW`, and does not see containers for debugging.

use serde_json::{Value, json};

use super::gatekeeper::harmless;
use super::{Action, NetRaw};

/// What the policy leaves alone unless told otherwise; a list of one's own replaces it.
const USUALLY_LEFT_ALONE: [&str; 3] = ["gatekeeper-system", "azure-arc", "azure-extensions-usage-system"];

/// What `az policy assignment create --params` takes.
pub(super) fn parameters(choice: &NetRaw) -> Value {
    let mut excluded = choice.left_alone();
    for name in USUALLY_LEFT_ALONE {
        if !excluded.iter().any(|there| there == name) {
            excluded.push(name.to_owned());
        }
    }
    let mut parameters = json!({
        "effect": {"value": if choice.action == Action::Deny { "Deny" } else { "Audit" }},
        "excludedNamespaces": {"value": excluded},
        "requiredDropCapabilities": {"value": ["NET_RAW"]},
        "allowedCapabilities": {"value": harmless()}
    });
    if choice.action == Action::Warn {
        parameters["warn"] = json!({"value": true});
    }
    parameters
}
