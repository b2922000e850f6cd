//! What does the kubelet tell about a pod, for `kubectl describe`?

use serde_json::{Value, json};

use super::status::seconds;
use crate::api::{EVENTS, Store};

/// Records an event on `pod`; `kind` is `Normal` or `Warning`.
pub(super) fn record(store: &Store, pod: &Value, kind: &str, reason: &str, message: &str) {
    let metadata = &pod["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let now = seconds(jiff::Timestamp::now());
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": format!("{}.", metadata["name"].as_str().unwrap_or_default())},
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "namespace": namespace, "uid": metadata["uid"],
        },
        "type": kind, "reason": reason, "message": message, "count": 1,
        "firstTimestamp": now, "lastTimestamp": now,
        "source": {"component": "lab-kubelet", "host": pod["spec"]["nodeName"]},
        "reportingComponent": "lab-kubelet", "reportingInstance": "lab",
    });
    // Fails only when the namespace is going away, and then nobody asks any more.
    let _ = store.create(&EVENTS, namespace, event);
}
