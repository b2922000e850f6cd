//! How are alerts written for Prometheus, for its operator, and for its test tool?

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::alert::{Alert, GROUPS, Group, Scene};

/// A file of rules.
pub(crate) fn file() -> Value {
    json!({"groups": GROUPS.iter().map(group).collect::<Vec<_>>()})
}

/// The object that the Prometheus operator reads.
pub(crate) fn object() -> Value {
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "podid", "labels": {"app.kubernetes.io/name": "podid"}},
        "spec": file(),
    })
}

/// A file of `promtool test rules`: of each alert a scene in which it fires, and one in which it does not.
pub(crate) fn tests() -> Value {
    let tests: Vec<Value> = GROUPS
        .iter()
        .flat_map(|group| group.alerts)
        .flat_map(|alert| {
            let expected =
                json!({"exp_labels": expected_labels(alert), "exp_annotations": annotations(alert, true)});
            [
                scene(&format!("{} fires", alert.name), alert, alert.fires, &[expected]),
                scene(&format!("{} does not fire", alert.name), alert, alert.silent, &[]),
            ]
        })
        .collect();
    json!({"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests})
}

fn group(group: &Group) -> Value {
    let rule = |alert: &Alert| {
        json!({
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.lasting,
            "labels": {"severity": alert.severity.word()},
            "annotations": annotations(alert, false),
        })
    };
    json!({"name": group.name, "rules": group.alerts.iter().map(rule).collect::<Vec<_>>()})
}

/// What the alert says; `filled` with the labels that its scene has.
fn annotations(alert: &Alert, filled: bool) -> Value {
    let mut description = alert.description.to_owned();
    if filled {
        for (label, value) in alert.labels {
            description = description.replace(&format!("{{{{ $labels.{label} }}}}"), value);
        }
    }
    json!({"summary": alert.summary, "description": description, "runbook_url": alert.runbook()})
}

fn expected_labels(alert: &Alert) -> BTreeMap<&str, &str> {
    alert.labels.iter().copied().chain([("severity", alert.severity.word())]).collect()
}

fn scene(name: &str, alert: &Alert, scene: Scene, expected: &[Value]) -> Value {
    let series: Vec<Value> =
        scene.series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect();
    json!({
        "name": name,
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": scene.at, "alertname": alert.name, "exp_alerts": expected}],
    })
}
