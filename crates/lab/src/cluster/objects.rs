//! Which Kubernetes objects does the lab begin with? Its nodes, and podid installed on them.

use serde_json::{Value, json};

use crate::Mode;
use crate::kubelet::{NodeSite, seconds};
use crate::scenario::{POD_IDENTITY, SYSTEM_NAMESPACE};

/// API group of the custom resources.
pub(crate) const GROUP: &str = "aadpodidentity.k8s.io/v1";

/// The service account of MIC.
pub(crate) const MIC: &str = "aad-pod-id-mic-service-account";
/// The service account of the node agents.
pub(crate) const NMI: &str = "aad-pod-id-nmi-service-account";
/// Marks what a lab has put into a cluster.
pub(crate) const LAB_LABEL: &str = "podid.dev/lab";
/// Selects that.
pub(crate) const LAB_SELECTOR: &str = "podid.dev/lab=true";

/// Files of the lab that take the place of a node's.
pub(crate) struct Files {
    /// How MIC reaches the API server.
    pub(crate) for_mic: String,
    /// How the node agents reach it.
    pub(crate) for_nmi: String,
    /// The node's `azure.json`.
    pub(crate) cloudconfig: String,
    /// The node's `/etc/default/kubelet`.
    pub(crate) kubelet_config: String,
}

/// Whether an object carries the lab's label.
pub(crate) fn is_of_a_lab(object: &Value) -> bool {
    object["metadata"]["labels"][LAB_LABEL] == "true"
}

/// The object with the lab's label.
pub(crate) fn labelled(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        let labels = metadata.entry("labels").or_insert_with(|| json!({}));
        labels[LAB_LABEL] = json!("true");
    }
    object
}

/// A node, ready, on the machine that `provider_id` names.
pub(crate) fn node(site: &NodeSite, provider_id: &str) -> Value {
    let now = seconds(jiff::Timestamp::now());
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": site.name, "labels": site.labels},
        "spec": {"providerID": provider_id},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": site.node.address().to_string()},
                {"type": "Hostname", "address": site.name},
            ],
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the lab runs",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
            "nodeInfo": {
                "kubeletVersion": "v1.33.0-lab", "operatingSystem": "linux", "architecture": std::env::consts::ARCH,
                "osImage": "network namespaces", "kernelVersion": "", "containerRuntimeVersion": "lab://1",
                "machineID": "", "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
            },
            "capacity": {"pods": "240"}, "allocatable": {"pods": "240"},
        },
    })
}

/// The node agent of one node, which in a real cluster is a pod of a DaemonSet.
pub(crate) fn nmi(node: &str, mode: Mode, files: &Files) -> Value {
    let mut command = vec![
        "podid".to_owned(),
        "nmi".to_owned(),
        format!("--node={node}"),
        "--http-probe-port=8085".to_owned(),
        format!("--kubelet-config={}", files.kubelet_config),
        "--log-format=json".to_owned(),
        "--v=4".to_owned(),
    ];
    if mode == Mode::Managed {
        command.extend(["--operation-mode=managed".to_owned(), "--forceNamespaced".to_owned()]);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("nmi-{node}"), "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/component": "nmi", "component": "nmi", "tier": "node"},
        },
        "spec": {
            "nodeName": node, "hostNetwork": true, "terminationGracePeriodSeconds": 5,
            "serviceAccountName": NMI,
            "containers": [{
                "name": "nmi", "image": "podid", "command": command,
                "env": [{"name": "KUBECONFIG", "value": files.for_nmi}],
            }],
        },
    })
}

/// The controller. As in a cluster it is excepted, and gets its own token through the node agent.
pub(crate) fn mic(files: &Files) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "mic", "namespace": SYSTEM_NAMESPACE,
            "labels": {"app.kubernetes.io/component": "mic", "component": "mic", "app": "mic"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 5, "serviceAccountName": MIC,
            "containers": [{
                "name": "mic", "image": "podid",
                "command": [
                    "podid", "mic", format!("--kubeconfig={}", files.for_mic),
                    format!("--cloudconfig={}", files.cloudconfig),
                    // Where its rights are, as for any MIC outside of the namespace default.
                    format!("--leader-election-namespace={SYSTEM_NAMESPACE}"),
                    "--log-format=json", "--v=4",
                ],
                "env": [{
                    "name": "MIC_POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
                }],
            }],
        },
    })
}

/// A namespace.
pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// An exception for pods of `namespace` that have the label.
pub(crate) fn exception(namespace: &str, name: &str, label: (&str, &str)) -> Value {
    json!({
        "apiVersion": GROUP, "kind": "AzurePodIdentityException",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podLabels": {label.0: label.1}},
    })
}

/// The tutorial's identity.
pub(crate) fn identity(namespace: &str, resource_id: &str, client_id: &str) -> Value {
    json!({
        "apiVersion": GROUP, "kind": "AzureIdentity",
        "metadata": {"name": POD_IDENTITY, "namespace": namespace},
        "spec": {"type": 0, "resourceID": resource_id, "clientID": client_id},
    })
}

/// The tutorial's binding.
pub(crate) fn binding(namespace: &str) -> Value {
    json!({
        "apiVersion": GROUP, "kind": "AzureIdentityBinding",
        "metadata": {"name": format!("{POD_IDENTITY}-binding"), "namespace": namespace},
        "spec": {"azureIdentity": POD_IDENTITY, "selector": POD_IDENTITY},
    })
}

/// A pod like the tutorial's `demo.yaml`.
pub(crate) fn demo(namespace: &str, name: &str, labels: &Value, arguments: &[String]) -> Value {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "containers": [{
                "name": "demo", "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/demo:v1.6.3",
                "args": arguments,
                "env": [
                    field("MY_POD_NAME", "metadata.name"),
                    field("MY_POD_NAMESPACE", "metadata.namespace"),
                    field("MY_POD_IP", "status.podIP"),
                ],
            }],
        },
    })
}
