//! How does `kubectl get` show objects?

use jiff::Timestamp;
use serde_json::{Value, json};

use super::admit::text;
use super::catalogue::Kind;
use super::resource::{EVENTS, NAMESPACES, NODES, PODS};
use age::since;

mod age;
mod event;
mod node;
mod pod;

/// How much of each object goes along with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    Nothing,
    Metadata,
    Whole,
}

/// One column of a built-in kind.
struct Column {
    name: &'static str,
    kind: &'static str,
    /// Shown only with `-o wide`.
    wide: bool,
}

/// A table of objects, at one version of their collection.
pub(super) fn table<'a>(
    kind: &Kind,
    objects: impl Iterator<Item = &'a Value>,
    version: &str,
    include: Include,
    now: Timestamp,
) -> Value {
    let rows: Vec<Value> = objects
        .map(|object| {
            let mut row = json!({"cells": cells(kind, object, now)});
            match include {
                Include::Nothing => {}
                Include::Metadata => {
                    row["object"] = json!({
                        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                        "metadata": object["metadata"],
                    });
                }
                Include::Whole => row["object"] = object.clone(),
            }
            row
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions(kind), "rows": rows,
    })
}

fn definitions(kind: &Kind) -> Vec<Value> {
    let define = |name: &str, of: &str, priority: &Value| {
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": of, "format": format, "description": "", "priority": priority})
    };
    let name = define("Name", "string", &json!(0));
    match &kind.custom {
        Some(custom) if !custom.columns.is_empty() => {
            let more = custom.columns.iter().map(|column| {
                let priority = json!(column["priority"].as_i64().unwrap_or(0));
                define(text(&column["name"]), text(&column["type"]), &priority)
            });
            std::iter::once(name).chain(more).collect()
        }
        _ => columns(kind)
            .iter()
            .map(|column| define(column.name, column.kind, &json!(i32::from(column.wide))))
            .collect(),
    }
}

fn columns(kind: &Kind) -> &'static [Column] {
    match kind.stored() {
        resource if *resource == PODS => pod::COLUMNS,
        resource if *resource == NODES => node::COLUMNS,
        resource if *resource == EVENTS => event::COLUMNS,
        resource if *resource == NAMESPACES => {
            const { &[Column::text("Name"), Column::text("Status"), Column::text("Age")] }
        }
        _ => const { &[Column::text("Name"), Column::text("Age")] },
    }
}

fn cells(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let metadata = &object["metadata"];
    let name = metadata["name"].clone();
    let age = || Value::from(since(&metadata["creationTimestamp"], now));
    match (&kind.custom, kind.stored()) {
        (Some(custom), _) if !custom.columns.is_empty() => {
            let more = custom.columns.iter().map(|column| custom_cell(column, object, now));
            std::iter::once(name).chain(more).collect()
        }
        (_, resource) if *resource == PODS => pod::cells(object, now),
        (_, resource) if *resource == NODES => node::cells(object, now),
        (_, resource) if *resource == EVENTS => event::cells(object, now),
        (_, resource) if *resource == NAMESPACES => {
            vec![name, object["status"]["phase"].clone(), age()]
        }
        _ => vec![name, age()],
    }
}

/// One cell of a custom kind. Only plain paths such as `.spec.type` or `.items[0].name` are understood.
fn custom_cell(column: &Value, object: &Value, now: Timestamp) -> Value {
    let path = text(&column["jsonPath"]).replace('[', ".").replace(']', "");
    let found =
        path.split('.').filter(|key| !key.is_empty()).fold(object, |value, key| match key.parse::<usize>() {
            Ok(index) if value.is_array() => &value[index],
            _ => &value[key],
        });
    match (text(&column["type"]), found) {
        (_, Value::Null) => Value::Null,
        ("date", value) => since(value, now).into(),
        ("string", Value::String(_)) => found.clone(),
        ("string", value) => value.to_string().into(),
        (_, value) => value.clone(),
    }
}

// === impl Column ===

impl Column {
    const fn text(name: &'static str) -> Self {
        Self { name, kind: "string", wide: false }
    }

    const fn number(name: &'static str) -> Self {
        Self { name, kind: "integer", wide: false }
    }

    const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

/// The text of a field, or what kubectl shows for nothing.
fn or_none(value: &Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() => value.clone(),
        _ => "<none>".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Catalogue;
    use super::super::resource::{EVENTS_K8S_IO, LEASES, Resource};
    use super::*;

    fn shown(resource: &Resource, crds: &[Value], object: &Value) -> Vec<(String, Value)> {
        let catalogue = Catalogue::new(crds).unwrap();
        let kind = catalogue.kind(resource).unwrap();
        let now = "2026-01-01T00:02:05Z".parse().unwrap();
        let table = table(kind, std::iter::once(object), "7", Include::Nothing, now);
        let names = table["columnDefinitions"].as_array().unwrap().iter();
        let cells = table["rows"][0]["cells"].as_array().unwrap();
        assert_eq!(names.len(), cells.len());
        names.map(|name| name["name"].as_str().unwrap().to_owned()).zip(cells.clone()).collect()
    }

    fn cell(row: &[(String, Value)], name: &str) -> Value {
        row.iter().find(|(column, _)| column == name).unwrap().1.clone()
    }

    #[test]
    fn pod_row_tells_the_state_of_its_containers() {
        let running = json!({"ready": true, "restartCount": 0, "state": {"running": {}}});
        let crashing = json!({"ready": false, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:01:05Z"}}});
        let exited = json!({"ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 3}}});
        for (phase, statuses, deleted, ready, status, restarts) in [
            ("Pending", vec![], false, "0/2", "Pending", "0"),
            ("Running", vec![&running, &running], false, "2/2", "Running", "0"),
            ("Running", vec![&running, &crashing], false, "1/2", "CrashLoopBackOff", "3 (60s ago)"),
            ("Failed", vec![&exited], false, "0/2", "ExitCode:3", "0"),
            ("Running", vec![&running, &running], true, "2/2", "Terminating", "0"),
        ] {
            let mut pod = json!({
                "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"containers": [{}, {}], "nodeName": "one"},
                "status": {"phase": phase, "containerStatuses": statuses},
            });
            if deleted {
                pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:09Z".into();
            }
            let row = shown(&PODS, &[], &pod);
            assert_eq!(cell(&row, "Ready"), ready, "{status}");
            assert_eq!(cell(&row, "Status"), status);
            assert_eq!(cell(&row, "Restarts"), restarts, "{status}");
            assert_eq!(cell(&row, "Age"), "2m5s");
            assert_eq!((cell(&row, "IP"), cell(&row, "Node")), ("<none>".into(), "one".into()));
        }
    }

    #[test]
    fn node_row_tells_readiness_and_roles() {
        let node = json!({
            "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/agent": ""}},
            "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1"},
                       "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
        });
        let row = shown(&NODES, &[], &node);
        assert_eq!(cell(&row, "Status"), "Ready,SchedulingDisabled");
        assert_eq!(cell(&row, "Roles"), "agent");
        assert_eq!(cell(&row, "Internal-IP"), "10.0.0.1");
        assert_eq!(cell(&row, "Age"), "<unknown>");
    }

    #[test]
    fn event_row_tells_when_it_was_last_seen() {
        let event = json!({
            "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"}, "type": "Warning",
            "reason": "Failed", "message": " no image\n", "count": 2, "source": {"component": "lab"},
            "firstTimestamp": "2026-01-01T00:00:05Z", "lastTimestamp": "2026-01-01T00:02:00Z",
        });
        for resource in [&EVENTS, &EVENTS_K8S_IO] {
            let row = shown(resource, &[], &event);
            assert_eq!(cell(&row, "Last Seen"), "5s");
            assert_eq!(cell(&row, "First Seen"), "2m");
            assert_eq!(cell(&row, "Object"), "pod/p");
            assert_eq!(cell(&row, "Message"), "no image");
            assert_eq!(cell(&row, "Count"), 2);
        }
    }

    #[test]
    fn custom_kind_shows_its_printer_columns_and_others_name_and_age() {
        let crd = json!({
            "metadata": {"name": "things.example.org"},
            "spec": {"group": "example.org", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                    "additionalPrinterColumns": [
                        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
                        {"name": "First", "type": "string", "jsonPath": ".spec.list[0].name"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]}]},
        });
        let object = json!({
            "metadata": {"name": "t", "creationTimestamp": "2026-01-01T00:02:00Z"},
            "spec": {"type": 0, "list": [{"name": "a"}]},
        });
        let row = shown(&Resource::new("example.org", "things"), &[crd], &object);
        let cells: Vec<Value> = row.into_iter().map(|(_, cell)| cell).collect();
        assert_eq!(cells, ["t", "0", "a", "5s"]);
        let row = shown(&LEASES, &[], &object);
        assert_eq!(row, [("Name".into(), "t".into()), ("Age".into(), "5s".into())]);
    }
}
