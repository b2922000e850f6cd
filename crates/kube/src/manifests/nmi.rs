//! What does the node agent run as, and what may it do?

use serde_json::{Value, json};

use super::Install;
use super::rbac::{account, account_name, core, own, role_name, within};

/// Port of the probes; 8080 is often taken on a node.
const PROBES: u16 = 8085;

/// File that tells whether the kubelet uses kubenet, on which a pod can take another's address.
const KUBELET: &str = "/etc/default/kubelet";

/// Name of the DaemonSet, as the agent expects it.
pub(super) const NAME: &str = "nmi";

/// Port at which redirected requests are accepted.
pub(super) const LISTENER: u16 = 2579;

/// Label of NMI's pods, in these manifests and in the chart.
pub(super) const ROLE: &str = "app.kubernetes.io/component";

/// Who decides which identities a pod may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// MIC.
    Standard,
    /// The agent itself.
    Managed,
}

/// Service account, role and DaemonSet.
pub(super) fn objects(install: &Install, mode: Mode) -> Vec<Value> {
    let mut rules = vec![
        core(&["pods"], &["list", "watch"]),
        core(&["events"], &["create", "patch"]),
        own(&["azureidentities", "azureidentitybindings", "azurepodidentityexceptions"], &["list", "watch"]),
    ];
    if mode == Mode::Standard {
        rules.push(own(&["azureassignedidentities"], &["list", "watch"]));
    }
    if install.startup_taint.is_some() {
        rules.push(core(&["nodes"], &["get", "patch"]));
    }
    let mut objects = account(&install.namespace, "nmi", &rules);
    // It must notice when this DaemonSet is deleted: the redirect goes then.
    let itself = json!({
        "apiGroups": ["apps"],
        "resources": ["daemonsets"],
        "resourceNames": [NAME],
        "verbs": ["get", "list", "watch"]
    });
    let namespace = Some(install.namespace.as_str());
    objects.extend(within(namespace, &role_name("nmi-daemonset"), &[itself], &install.namespace, "nmi"));
    objects.push(daemon_set(install, mode));
    objects
}

/// Lets the agent read Secrets of the namespace that it is applied to: one with identities of
/// type 1 or 2. There is no right for the whole cluster (W-02).
pub(super) fn secret_access(install: &Install) -> Vec<Value> {
    within(None, &role_name("nmi-secrets"), &[core(&["secrets"], &["get"])], &install.namespace, "nmi")
}

fn daemon_set(install: &Install, mode: Mode) -> Value {
    let labels = json!({"component": "nmi", "tier": "node", "k8s-app": "aad-pod-id", ROLE: NAME});
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": install.namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"component": "nmi", "tier": "node"}},
            // Never two on a node: the port is the host's.
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": account_name("nmi"),
                    "priorityClassName": "system-node-critical",
                    "hostNetwork": true,
                    "dnsPolicy": "ClusterFirstWithHostNet",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"operator": "Exists"}],
                    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container(install, mode)],
                    "volumes": [{"name": "kubelet-config", "hostPath": {"path": KUBELET, "type": "FileOrCreate"}}]
                }
            }
        }
    })
}

fn container(install: &Install, mode: Mode) -> Value {
    json!({
        "name": "nmi",
        "image": install.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(install, mode),
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
        ],
        "ports": [
            {"name": "tokens", "containerPort": LISTENER},
            {"name": "probes", "containerPort": PROBES},
            {"name": "metrics", "containerPort": 9090}
        ],
        "livenessProbe": {"httpGet": {"path": "/livez", "port": PROBES}, "initialDelaySeconds": 10, "periodSeconds": 5},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": PROBES}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        // An added capability is in force for root only; all others are dropped.
        "securityContext": {
            "runAsUser": 0,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}
        },
        "volumeMounts": [{"name": "kubelet-config", "mountPath": KUBELET, "readOnly": true}]
    })
}

fn arguments(install: &Install, mode: Mode) -> Vec<String> {
    let mut arguments =
        vec!["nmi".to_owned(), "--node=$(NODE_NAME)".to_owned(), format!("--http-probe-port={PROBES}")];
    match mode {
        Mode::Standard => {
            arguments.push("--enableScaleFeatures=true".to_owned());
            if install.namespaced {
                arguments.push("--forceNamespaced=true".to_owned());
            }
        }
        Mode::Managed => {
            arguments.extend(["--operation-mode=managed".to_owned(), "--forceNamespaced".to_owned()]);
        }
    }
    arguments.push("--metadata-header-required=true".to_owned());
    if install.kubenet {
        arguments.push("--allow-network-plugin-kubenet".to_owned());
    }
    arguments.extend(install.startup_taint.iter().map(|key| format!("--startup-taint={key}")));
    arguments
}
