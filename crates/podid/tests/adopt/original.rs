//! What does the original leave in a cluster? Written in its shape (peer contract §1 and §7), not copied from it.

use serde_json::{Value, json};

/// The original as its users install it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// Plain manifests, in `default`.
    Kubectl,
    /// The chart, in `kube-system`.
    Helm,
}

/// The definitions: as podid's, but without a rule, as the original had none.
pub(crate) fn definitions() -> Vec<Value> {
    let all = podid_kube::crd::definitions().into_iter();
    all.map(|definition| {
        let mut value = serde_json::to_value(definition).unwrap();
        drop_rules(&mut value);
        value
    })
    .collect()
}

fn drop_rules(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for rule in ["x-kubernetes-validations", "maxLength"] {
                map.remove(rule);
            }
            map.values_mut().for_each(drop_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_rules),
        _ => {}
    }
}

// === impl Way ===

impl Way {
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Kubectl => "default",
            Self::Helm => "kube-system",
        }
    }

    pub(crate) fn agents(self) -> &'static str {
        match self {
            Self::Kubectl => "nmi",
            Self::Helm => "aad-pod-identity-nmi",
        }
    }

    pub(crate) fn controller(self) -> &'static str {
        match self {
            Self::Kubectl => "mic",
            Self::Helm => "aad-pod-identity-mic",
        }
    }

    fn account(self, component: &str) -> String {
        match self {
            Self::Kubectl => format!("aad-pod-id-{component}-service-account"),
            Self::Helm => format!("aad-pod-identity-{component}"),
        }
    }

    fn labels(self, component: &str) -> Value {
        match self {
            Self::Kubectl if component == "nmi" => json!({"component": "nmi", "tier": "node"}),
            Self::Kubectl => json!({"component": "mic", "app": "mic"}),
            Self::Helm => json!({
                "app.kubernetes.io/name": "aad-pod-identity", "app.kubernetes.io/instance": "aad-pod-identity",
                "app.kubernetes.io/component": component
            }),
        }
    }

    /// Service accounts, roles, Deployment and DaemonSet; further arguments for the agents.
    pub(crate) fn workloads(self, for_agents: &[&str]) -> Vec<Value> {
        let usual = ["--node=$(NODE_NAME)", "--http-probe-port=8085", "--enableScaleFeatures=true"];
        let agents = self.workload("DaemonSet", "nmi", self.agents(), &[&usual, for_agents].concat());
        let arguments = ["--cloudconfig=/etc/kubernetes/azure.json", "--logtostderr"];
        let mut controller = self.workload("Deployment", "mic", self.controller(), &arguments);
        controller["spec"]["replicas"] = json!(2);
        let accounts = ["mic", "nmi"].map(|component| {
            let metadata = json!({"name": self.account(component), "namespace": self.namespace()});
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        });
        let mut objects = accounts.to_vec();
        for component in ["mic", "nmi"] {
            objects.extend(self.rights(component));
        }
        objects.extend([agents, controller]);
        objects
    }

    fn rights(self, component: &str) -> [Value; 2] {
        let (role, binding) = match self {
            Self::Kubectl => {
                (format!("aad-pod-id-{component}-role"), format!("aad-pod-id-{component}-binding"))
            }
            Self::Helm => (self.account(component), self.account(component)),
        };
        let subject =
            json!({"kind": "ServiceAccount", "name": self.account(component), "namespace": self.namespace()});
        let api = "rbac.authorization.k8s.io";
        [
            json!({
                "apiVersion": format!("{api}/v1"), "kind": "ClusterRole", "metadata": {"name": role},
                "rules": [{"apiGroups": ["aadpodidentity.k8s.io"], "resources": ["*"], "verbs": ["*"]}]
            }),
            json!({
                "apiVersion": format!("{api}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": binding},
                "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role}, "subjects": [subject]
            }),
        ]
    }

    fn workload(self, kind: &str, component: &str, name: &str, arguments: &[&str]) -> Value {
        let labels = self.labels(component);
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace(), "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": self.account(component), "hostNetwork": component == "nmi",
                    "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}],
                    "containers": [{
                        "name": component, "args": arguments,
                        "image": format!("mcr.microsoft.com/oss/azure/aad-pod-identity/{component}:v1.8.17")
                    }]
                }
            }}
        })
    }
}

/// An `AzureIdentity` or binding and the like.
pub(crate) fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec
    })
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A pod that was given its node.
pub(crate) fn pod(namespace: &str, name: &str, label: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"aadpodidbinding": label}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "web"}]}
    })
}

/// The record that the original's controller wrote: full copies of identity and binding, its label, its finalizer.
pub(crate) fn record(pod: &Value, node: &str, identity: &Value, binding: &Value) -> Value {
    let text = |value: &Value, key: &str| value["metadata"][key].as_str().unwrap().to_owned();
    let copy = |object: &Value| {
        let metadata = &object["metadata"];
        json!({
            "apiVersion": object["apiVersion"], "kind": object["kind"], "spec": object["spec"],
            "metadata": {
                "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"]
            },
            "status": {"metadata": {"creationTimestamp": null}}
        })
    };
    let (name, namespace) = (text(pod, "name"), text(pod, "namespace"));
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
        "metadata": {
            "name": format!("{name}-{namespace}-{}", text(identity, "name")), "namespace": "default",
            "labels": {"nodename": node},
            "finalizers": ["azureassignedidentity.finalizers.aadpodidentity.k8s.io"]
        },
        "spec": {
            "azureIdentityRef": copy(identity), "azureBindingRef": copy(binding),
            "pod": name, "podNamespace": namespace, "nodename": node
        },
        "status": {"status": "Assigned", "availableReplicas": 1}
    })
}

/// Whether the original would leave the record as it is (peer contract §2.5 step 5): it compares names and resource
/// versions of identity and binding, pod and node, and looks no further than the record's name.
pub(crate) fn is_content_with(record: &Value, node: &str, identity: &Value, binding: &Value) -> bool {
    let same = |copy: &Value, object: &Value| {
        let (copy, object) = (&copy["metadata"], &object["metadata"]);
        copy["name"] == object["name"] && copy["resourceVersion"] == object["resourceVersion"]
    };
    let spec = &record["spec"];
    let name = [&spec["pod"], &spec["podNamespace"], &identity["metadata"]["name"]]
        .map(|part| part.as_str().unwrap())
        .join("-");
    same(&spec["azureIdentityRef"], identity)
        && same(&spec["azureBindingRef"], binding)
        && spec["nodename"] == node
        && record["metadata"]["name"] == name
        && record["metadata"]["labels"]["nodename"] == node
        && record["status"]["status"] == "Assigned"
}
