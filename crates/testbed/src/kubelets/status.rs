//! What does a kubelet report about its node and about a pod that runs there?

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};

/// Address of the node with this number, counted from 1.
pub(super) fn node_address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 240, high, low)
}

/// Address of the pod with this number.
pub(super) fn pod_address(number: u32) -> Ipv4Addr {
    let [_, high, middle, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 64 | (high & 0x3f), middle, low)
}

/// A node, as its kubelet registers it.
pub(super) fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        }
    })
}

/// A merge patch that makes a node ready.
pub(super) fn ready_node(name: &str, address: Ipv4Addr, now: Timestamp) -> Value {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "played",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let resources = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
    json!({"status": {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name}
        ],
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            condition("Ready", "True", "KubeletReady"),
        ],
    }})
}

/// A merge patch that says that all containers of `pod` run and are ready; or that they ran to their end, for a pod of a
/// Job.
pub(super) fn running(pod: &Pod, host: Ipv4Addr, address: Ipv4Addr, now: Timestamp) -> Value {
    let spec = pod.spec.clone().unwrap_or_default();
    let owners = pod.metadata.owner_references.iter().flatten();
    let done = owners.into_iter().any(|owner| owner.kind == "Job");
    let address = if spec.host_network == Some(true) { host } else { address };
    let finished =
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}});
    let runs = if done { finished.clone() } else { json!({"running": {"startedAt": now}}) };
    let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now});
    let containers = |containers: &[Container], state: &Value, ready: bool| -> Vec<Value> {
        let of = |container: &Container| {
            json!({
                "name": container.name, "image": container.image, "imageID": container.image,
                "containerID": "played://0", "restartCount": 0, "ready": ready, "started": ready, "state": state,
            })
        };
        containers.iter().map(of).collect()
    };
    json!({"status": {
        "phase": if done { "Succeeded" } else { "Running" },
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", !done),
            condition("Ready", !done),
        ],
        "initContainerStatuses": containers(spec.init_containers.as_deref().unwrap_or_default(), &finished, true),
        "containerStatuses": containers(&spec.containers, &runs, !done),
    }})
}

/// A merge patch that says why a pod has no node.
pub(super) fn unschedulable(why: &str, now: Timestamp) -> Value {
    json!({"status": {"conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
        "lastTransitionTime": now,
    }]}})
}
