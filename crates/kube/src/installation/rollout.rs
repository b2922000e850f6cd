//! Do the agents and the controller run as they were applied?

use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use podid_core::addon::state::Mode;

use crate::call::{CallError, bounded};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(15);

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Every pod is up to date and ready; on so many nodes.
    Ready(i32),
    /// Not yet, in words.
    Waiting(String),
}

/// Looks once at the workloads of `mode` in `namespace`.
pub async fn rollout(client: &Client, namespace: &str, mode: Mode) -> Result<Rollout, CallError> {
    if mode == Mode::Standard {
        let api = Api::<Deployment>::namespaced(client.clone(), namespace);
        let mic = bounded(|| "read Deployment mic".to_owned(), LIMIT, api.get("mic")).await?;
        if let Some(waiting) = controller(&mic) {
            return explained(client, namespace, "mic", waiting).await;
        }
    }
    let api = Api::<DaemonSet>::namespaced(client.clone(), namespace);
    let nmi = bounded(|| "read DaemonSet nmi".to_owned(), LIMIT, api.get("nmi")).await?;
    match agents(&nmi) {
        Ok(nodes) => Ok(Rollout::Ready(nodes)),
        Err(waiting) => explained(client, namespace, "nmi", waiting).await,
    }
}

fn controller(mic: &Deployment) -> Option<String> {
    let status = mic.status.clone().unwrap_or_default();
    let wanted = mic.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    // One that leads is enough for tokens; the other stands by.
    let ready = status.available_replicas.unwrap_or(0).min(status.updated_replicas.unwrap_or(0));
    if status.observed_generation < mic.metadata.generation || ready < wanted.min(1) {
        return Some(format!("mic: {ready} of {wanted} ready"));
    }
    None
}

fn agents(nmi: &DaemonSet) -> Result<i32, String> {
    let status = nmi.status.clone().unwrap_or_default();
    if status.observed_generation < nmi.metadata.generation {
        return Err("nmi: the cluster has not looked at it yet".to_owned());
    }
    let wanted = status.desired_number_scheduled;
    let ready = status.number_ready.min(status.updated_number_scheduled.unwrap_or(0));
    if wanted == 0 || ready < wanted {
        Err(format!("nmi: {ready} of {wanted} nodes ready"))
    } else {
        Ok(wanted)
    }
}

/// The words, with what the first pod that is not ready says.
async fn explained(
    client: &Client,
    namespace: &str,
    component: &str,
    waiting: String,
) -> Result<Rollout, CallError> {
    let api = Api::<Pod>::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("component={component}"));
    let pods = bounded(|| format!("list pods of {component}"), LIMIT, api.list(&params)).await?;
    let reason = pods.iter().find_map(|pod| Some(format!("pod {}: {}", pod.name_any(), trouble(pod)?)));
    Ok(Rollout::Waiting(match reason {
        Some(reason) => format!("{waiting}; {reason}"),
        None => waiting,
    }))
}

/// Why the pod is not ready, as far as it says.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    for container in status.container_statuses.iter().flatten() {
        let state = container.state.as_ref()?;
        if let Some(waiting) = &state.waiting {
            let reason = waiting.reason.clone().unwrap_or_default();
            return Some(match &waiting.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason,
            });
        }
        if let Some(ended) = &state.terminated {
            let last = ended.message.clone().or_else(|| ended.reason.clone()).unwrap_or_default();
            return Some(format!("ended with code {}: {last}", ended.exit_code));
        }
    }
    let unscheduled =
        status.conditions.iter().flatten().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    unscheduled.and_then(|one| one.message.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn daemon_set(generation: i64, status: &Value) -> DaemonSet {
        let object = json!({"metadata": {"generation": generation}, "spec": {"selector": {}, "template": {}}, "status": status});
        serde_json::from_value(object).unwrap()
    }

    fn status(seen: i64, wanted: i32, ready: i32, updated: i32) -> Value {
        json!({"observedGeneration": seen, "currentNumberScheduled": 0, "numberMisscheduled": 0,
            "desiredNumberScheduled": wanted, "numberReady": ready, "updatedNumberScheduled": updated})
    }

    #[test]
    fn it_is_ready_when_every_node_has_the_new_agent() {
        assert_eq!(agents(&daemon_set(2, &status(2, 3, 3, 3))), Ok(3));
        let cases = [
            (status(1, 3, 3, 3), "has not looked"),
            (status(2, 3, 2, 3), "2 of 3"),
            (status(2, 3, 3, 1), "1 of 3"),
            (status(2, 0, 0, 0), "0 of 0"),
        ];
        for (status, words) in cases {
            assert!(agents(&daemon_set(2, &status)).unwrap_err().contains(words), "{status}");
        }
    }

    #[test]
    fn a_pod_that_is_not_ready_says_why() {
        let pod = |status: Value| serde_json::from_value::<Pod>(json!({"status": status})).unwrap();
        let container = |state: Value| {
            json!({"containerStatuses": [{"name": "nmi", "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": state}]})
        };
        let cases = [
            (
                container(json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such host"}})),
                "ImagePullBackOff: no such host",
            ),
            (
                container(json!({"terminated": {"exitCode": 1, "reason": "Error"}})),
                "ended with code 1: Error",
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "no room"}]}),
                "no room",
            ),
        ];
        for (status, words) in cases {
            assert_eq!(trouble(&pod(status)).as_deref(), Some(words));
        }
        assert_eq!(trouble(&pod(json!({}))), None);
    }
}
