//! How does the cluster know that the lab's nodes are alive? From a lease for each of them, as with any kubelet.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Failure, LEASES};

/// Namespace of the nodes' leases.
const NAMESPACE: &str = "kube-node-lease";
/// How often they are renewed.
const PERIOD: Duration = Duration::from_secs(10);
/// Seconds without a renewal after which a node counts as lost.
const LIFE: u32 = 40;

/// Renews the leases of `nodes` until `ending`.
pub(super) async fn beat(client: &Client, nodes: &[String], ending: &CancellationToken) {
    loop {
        for node in nodes {
            // Whatever fails now is tried again in a moment.
            if let Err(failure) = renew(client, node).await {
                tracing::debug!(%failure, %node, "the lease of a node was not renewed");
            }
        }
        if ending.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}

async fn renew(client: &Client, node: &str) -> Result<Value, Failure> {
    let spec = json!({
        "holderIdentity": node, "leaseDurationSeconds": LIFE, "renewTime": microseconds(jiff::Timestamp::now()),
    });
    match client.patch(LEASES, NAMESPACE, node, &json!({"spec": spec})).await {
        Err(Failure::Absent(_)) => {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": node, "namespace": NAMESPACE}, "spec": spec,
            });
            client.create(&lease).await
        }
        renewed => renewed,
    }
}

/// A time as leases have it: RFC 3339 with microseconds.
pub(crate) fn microseconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
