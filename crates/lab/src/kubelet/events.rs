//! What does the kubelet tell about a pod, for `kubectl describe`?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::status::seconds;
use crate::client::{Client, Failure};

/// Events that wait at most for the server; more of them are dropped.
const WAITING: usize = 1000;
/// How often an event is sent to a server that does not answer, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Takes events and sends them in their order, without holding up who tells them.
#[derive(Clone)]
pub(super) struct Events {
    sender: mpsc::Sender<Value>,
}

// === impl Events ===

impl Events {
    /// Begins to send; ends when nobody can tell an event any more.
    pub(super) fn new(client: Client) -> Self {
        let (sender, mut told) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                send(&client, &event).await;
            }
        });
        Self { sender }
    }

    /// Records an event on `pod`; `kind` is `Normal` or `Warning`.
    pub(super) fn record(&self, pod: &Value, kind: &str, reason: &str, message: &str) {
        let metadata = &pod["metadata"];
        let now = seconds(jiff::Timestamp::now());
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {
                "generateName": format!("{}.", metadata["name"].as_str().unwrap_or_default()),
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": kind, "reason": reason, "message": message, "count": 1,
            "firstTimestamp": now, "lastTimestamp": now,
            "source": {"component": "lab-kubelet", "host": pod["spec"]["nodeName"]},
            "reportingComponent": "lab-kubelet", "reportingInstance": "lab",
        });
        // Nobody misses one of a thousand.
        let _ = self.sender.try_send(event);
    }
}

async fn send(client: &Client, event: &Value) {
    for _ in 0..ATTEMPTS {
        match client.create(event).await {
            Err(Failure::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
            // Refused only when the namespace is going away, and then nobody asks any more.
            _ => return,
        }
    }
}
