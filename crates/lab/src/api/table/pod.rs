//! Which one line tells how a pod is?

use jiff::Timestamp;
use serde_json::Value;

use super::super::admit::text;
use super::age::since;
use super::{Column, or_none};

pub(super) const COLUMNS: &[Column] = &[
    Column::text("Name"),
    Column::text("Ready"),
    Column::text("Status"),
    Column::text("Restarts"),
    Column::text("Age"),
    Column::text("IP").wide(),
    Column::text("Node").wide(),
    Column::text("Nominated Node").wide(),
    Column::text("Readiness Gates").wide(),
];

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = &pod["status"];
    let total = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let ready = statuses(pod).filter(|status| is_running(status)).count();
    vec![
        pod["metadata"]["name"].clone(),
        format!("{ready}/{total}").into(),
        state(pod).into(),
        restarts(pod, now).into(),
        since(&pod["metadata"]["creationTimestamp"], now).into(),
        or_none(&status["podIP"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        "<none>".into(),
    ]
}

/// The phase, or what is more telling: the trouble of the first container that has any, or the pod's end.
fn state(pod: &Value) -> String {
    let status = &pod["status"];
    let phase = text(&status["phase"]);
    if pod["metadata"]["deletionTimestamp"].is_string() && !["Succeeded", "Failed"].contains(&phase) {
        return "Terminating".into();
    }
    let troubles = statuses(pod).find_map(|status| {
        let state = &status["state"];
        match (text(&state["waiting"]["reason"]), text(&state["terminated"]["reason"])) {
            ("", "") if state["terminated"].is_object() => {
                Some(match state["terminated"]["signal"].as_i64() {
                    Some(signal) if signal != 0 => format!("Signal:{signal}"),
                    _ => format!("ExitCode:{}", state["terminated"]["exitCode"]),
                })
            }
            ("", "") => None,
            ("", reason) | (reason, _) => Some(reason.to_owned()),
        }
    });
    let otherwise = text(&status["reason"]);
    match troubles {
        Some(reason) if reason == "Completed" && statuses(pod).any(is_running) => {
            if is_ready(status) {
                "Running".into()
            } else {
                "NotReady".into()
            }
        }
        Some(reason) => reason,
        None if otherwise.is_empty() => phase.to_owned(),
        None => otherwise.to_owned(),
    }
}

fn restarts(pod: &Value, now: Timestamp) -> String {
    let count: u64 = statuses(pod).filter_map(|status| status["restartCount"].as_u64()).sum();
    let last =
        statuses(pod).filter_map(|status| status["lastState"]["terminated"]["finishedAt"].as_str()).max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", since(&last.into(), now)),
        _ => count.to_string(),
    }
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["containerStatuses"].as_array().into_iter().flatten()
}

fn is_running(status: &Value) -> bool {
    status["ready"] == true && status["state"]["running"].is_object()
}

fn is_ready(status: &Value) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
