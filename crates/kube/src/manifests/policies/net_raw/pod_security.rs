//! Which labels of Pod Security take `NET_RAW` from pods?
//!
//! Those of the level `restricted`: its pods must drop ALL. `baseline` forbids to add it only, and a
//! pod that adds nothing has it from its runtime.

use serde_json::{Value, json};

use super::{Action, NetRaw};

/// What stands where nobody said which namespace; no namespace has capitals.
const PLACEHOLDER: &str = "NAMESPACE";

/// The namespaces with their labels.
pub(super) fn objects(choice: &NetRaw) -> Vec<Value> {
    let placeholder = [PLACEHOLDER.to_owned()];
    let names = if choice.labelled.is_empty() { placeholder.as_slice() } else { &choice.labelled };
    let mode = match choice.action {
        Action::Deny => "enforce",
        Action::Warn => "warn",
        Action::Audit => "audit",
    };
    let label = |name: &String| {
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {
                    (format!("pod-security.kubernetes.io/{mode}")): "restricted",
                    (format!("pod-security.kubernetes.io/{mode}-version")): "latest"
                }
            }
        })
    };
    names.iter().map(label).collect()
}
