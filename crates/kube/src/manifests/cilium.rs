//! What brings pods to NMI where Cilium passes their packets by the kernel's rules?

use serde_json::{Value, json};

use super::nmi::{LISTENER, NAME, ROLE};

/// The metadata service.
const METADATA: &str = "169.254.169.254";

/// A policy that sends pods to the NMI of their node, and one that refuses what is not sent there: while NMI is not
/// ready, Cilium lets pods through to the address that they asked for.
pub(super) fn objects(namespace: &str) -> Vec<Value> {
    vec![local_redirect(namespace), fence()]
}

fn local_redirect(namespace: &str) -> Value {
    json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLocalRedirectPolicy",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "description": "Pods that ask the instance metadata service meet NMI",
            "redirectFrontend": {
                "addressMatcher": {"ip": METADATA, "toPorts": [{"port": "80", "protocol": "TCP"}]}
            },
            "redirectBackend": {
                "localEndpointSelector": {"matchLabels": {ROLE: NAME}},
                "toPorts": [{"port": LISTENER.to_string(), "protocol": "TCP"}]
            },
            // NMI itself asks the metadata service.
            "skipRedirectFromBackend": true
        }
    })
}

fn fence() -> Value {
    json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "podid-metadata"},
        "spec": {
            "description": "Pods never reach the instance metadata service past NMI",
            "endpointSelector": {},
            "enableDefaultDeny": {"egress": false, "ingress": false},
            "egressDeny": [{
                "toCIDR": [format!("{METADATA}/32")],
                "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}]}]
            }]
        }
    })
}
