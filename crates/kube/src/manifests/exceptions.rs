//! Which pods talk to the metadata service as their node does, from the beginning?

use serde_json::{Value, json};

use crate::crd::API_VERSION;

/// MIC, which needs the node's standing to write identities, and the add-ons of AKS.
pub(super) fn objects(namespace: &str) -> Vec<Value> {
    vec![
        exception("mic-exception", namespace, &json!({"app": "mic", "component": "mic"})),
        exception("aks-addon-exception", "kube-system", &json!({"kubernetes.azure.com/managedby": "aks"})),
    ]
}

fn exception(name: &str, namespace: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "AzurePodIdentityException",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podLabels": labels}
    })
}
