//! Is this pod well formed, and what does the server fill in?

use serde_json::{Map, Value, json};

use super::super::status::Cause;
use super::metadata::is_dns_label;
use super::{forget, text};

const LISTS: [&str; 2] = ["initContainers", "containers"];

/// Fills in what a pod leaves open, with the values of a real server.
pub(super) fn complete(pod: &mut Value) {
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        for (field, value) in [
            ("restartPolicy", json!("Always")),
            ("terminationGracePeriodSeconds", json!(30)),
            ("dnsPolicy", json!("ClusterFirst")),
            ("serviceAccountName", json!("default")),
            ("schedulerName", json!("default-scheduler")),
            ("securityContext", json!({})),
            ("enableServiceLinks", json!(true)),
            ("preemptionPolicy", json!("PreemptLowerPriority")),
            ("priority", json!(0)),
        ] {
            spec.entry(field).or_insert(value);
        }
        let account = spec.get("serviceAccountName").cloned().unwrap_or_default();
        spec.entry("serviceAccount").or_insert(account);
        for list in LISTS {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(container) = container.as_object_mut() {
                    complete_container(container);
                }
            }
        }
    }
    if pod["status"].is_null() {
        pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
    }
}

/// What is wrong with the spec of a pod.
pub(super) fn problems(spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        causes.push(Cause::required("spec.containers", ""));
    }
    let mut seen = Vec::new();
    for (path, container) in containers(spec) {
        let name = text(&container["name"]);
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        } else if !is_dns_label(name) {
            let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
            causes.push(Cause::invalid(format!("{path}.name"), &container["name"], why));
        } else if seen.contains(&name) {
            let (field, message) = (format!("{path}.name"), format!("Duplicate value: \"{name}\""));
            causes.push(Cause { field, reason: "FieldValueDuplicate", message });
        }
        seen.push(name);
        if text(&container["image"]).is_empty() {
            causes.push(Cause::required(format!("{path}.image"), ""));
        }
    }
    causes
}

/// A change of a running pod that no server allows.
pub(super) fn changed(before: &Value, after: &Value) -> Option<Cause> {
    let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    (fixed(before) != fixed(after)).then(|| Cause::forbidden("spec", why))
}

/// The part of a spec that must not change.
fn fixed(spec: &Value) -> Map<String, Value> {
    let mut spec = spec.as_object().cloned().unwrap_or_default();
    spec.remove("activeDeadlineSeconds");
    spec.remove("tolerations");
    for list in LISTS {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            forget(container, &["image"]);
        }
    }
    spec
}

fn containers(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    LISTS.into_iter().flat_map(move |list| {
        let containers = spec[list].as_array().into_iter().flatten().enumerate();
        containers.map(move |(index, container)| (format!("spec.{list}[{index}]"), container))
    })
}

fn complete_container(container: &mut Map<String, Value>) {
    let image = container.get("image").map(text).unwrap_or_default();
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map_or("latest", |(_, tag)| tag);
    let pull = if tag == "latest" { "Always" } else { "IfNotPresent" };
    for (field, value) in [
        ("imagePullPolicy", json!(pull)),
        ("resources", json!({})),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
    ] {
        container.entry(field).or_insert(value);
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef").and_then(Value::as_object_mut) {
            field.entry("apiVersion").or_insert_with(|| "v1".into());
        }
    }
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.entry("protocol").or_insert_with(|| "TCP".into());
        }
    }
}
