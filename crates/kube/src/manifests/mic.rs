//! What does the controller run as, and what may it do?

use serde_json::{Value, json};

use super::Install;
use super::nmi::ROLE;
use super::rbac::{account, account_name, core, one, own, role_name, within};

/// Lock by which replicas elect a leader (peer contract §2.3).
const LOCK: &str = "aad-pod-identity-mic";

/// Namespace of the lock, whichever the workload's is.
const LOCK_NAMESPACE: &str = "default";

/// ConfigMap in which MIC writes down which identities it put where.
const OWNERSHIP: &str = "podid-ownership";

/// Secret that holds the cloud settings where there is no azure.json.
const SETTINGS: &str = "aadpodidentity-admin-secret";

/// Keys of that Secret, and the variables that MIC reads them from.
const SETTINGS_KEYS: [(&str, &str); 7] = [
    ("Cloud", "CLOUD"),
    ("SubscriptionID", "SUBSCRIPTION_ID"),
    ("ResourceGroup", "RESOURCE_GROUP"),
    ("VMType", "VM_TYPE"),
    ("TenantID", "TENANT_ID"),
    ("ClientID", "CLIENT_ID"),
    ("ClientSecret", "CLIENT_SECRET"),
];

/// Path of the cloud settings on a node.
const AZURE_JSON: &str = "/etc/kubernetes/azure.json";

/// Service account, roles and Deployment.
pub(super) fn objects(install: &Install) -> Vec<Value> {
    let mut objects = account(
        &install.namespace,
        "mic",
        &[
            core(&["pods", "nodes"], &["list", "watch"]),
            core(&["events"], &["create", "patch"]),
            own(&["azureidentities", "azureidentitybindings"], &["list", "watch"]),
            own(&["azureassignedidentities"], &["list", "watch", "create", "patch", "delete"]),
        ],
    );
    let lock = [one("coordination.k8s.io", "leases", LOCK), one("", "endpoints", LOCK)].concat();
    objects.extend(within(Some(LOCK_NAMESPACE), &role_name("mic-lock"), &lock, &install.namespace, "mic"));
    let ownership = one("", "configmaps", OWNERSHIP);
    objects.extend(within(
        Some(&install.namespace),
        &role_name("mic-ownership"),
        &ownership,
        &install.namespace,
        "mic",
    ));
    if install.settings_in_secret {
        objects.push(settings(install));
    }
    objects.push(deployment(install));
    objects
}

/// To be filled in by the operator.
fn settings(install: &Install) -> Value {
    let data: serde_json::Map<String, Value> = SETTINGS_KEYS
        .iter()
        .map(|(key, variable)| ((*key).to_owned(), format!("<{variable}>").into()))
        .collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SETTINGS, "namespace": install.namespace},
        "type": "Opaque",
        "stringData": data
    })
}

fn deployment(install: &Install) -> Value {
    // The last one is that of charts, by which people and scrapers find its pods in either installation.
    let labels = json!({"app": "mic", "component": "mic", "k8s-app": "aad-pod-id", ROLE: "mic"});
    let mut deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "mic", "namespace": install.namespace, "labels": {"component": "mic", "k8s-app": "aad-pod-id", ROLE: "mic"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "mic", "component": "mic"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": account_name("mic"),
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                        "weight": 1,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"component": "mic"}}
                        }
                    }]}},
                    "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container(install)]
                }
            }
        }
    });
    if !install.settings_in_secret {
        let pod = &mut deployment["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "azure-json", "hostPath": {"path": AZURE_JSON, "type": "File"}}]);
        pod["containers"][0]["volumeMounts"] =
            json!([{"name": "azure-json", "mountPath": AZURE_JSON, "readOnly": true}]);
    }
    deployment
}

fn container(install: &Install) -> Value {
    // azure.json belongs to root and is for nobody else to read.
    let user = if install.settings_in_secret { 65532 } else { 0 };
    json!({
        "name": "mic",
        "image": install.image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments(install),
        "env": environment(install),
        "ports": [{"name": "probes", "containerPort": 8080}, {"name": "metrics", "containerPort": 8888}],
        "livenessProbe": {"httpGet": {"path": "/livez", "port": 8080}, "initialDelaySeconds": 10, "periodSeconds": 5},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": user,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}
        }
    })
}

fn arguments(install: &Install) -> Vec<String> {
    let mut arguments = vec!["mic".to_owned()];
    if !install.settings_in_secret {
        arguments.push(format!("--cloudconfig={AZURE_JSON}"));
    }
    if install.namespaced {
        arguments.push("--forceNamespaced=true".to_owned());
    }
    arguments.push("--logtostderr".to_owned());
    arguments
}

fn environment(install: &Install) -> Value {
    let mut environment = vec![json!({
        "name": "MIC_POD_NAMESPACE",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}
    })];
    if install.settings_in_secret {
        environment.extend(SETTINGS_KEYS.iter().map(|(key, variable)| {
            json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": SETTINGS, "key": key}}})
        }));
    }
    environment.into()
}
