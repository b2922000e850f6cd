//! How does the status of a pod get to the API server, in order and whatever the server does?

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Failure, PODS};

/// Pause between attempts to reach the server.
const PAUSE: Duration = Duration::from_millis(500);

/// The status of one pod, as the kubelet knows it. The newest one is written; what was overtaken is not.
pub(super) struct Report {
    status: watch::Sender<Value>,
    writer: JoinHandle<()>,
}

// === impl Report ===

impl Report {
    /// A report on the pod with this metadata. It stops trying when the lab is ending.
    pub(super) fn begin(client: Client, metadata: Value, ending: CancellationToken) -> Self {
        let (status, mut newest) = watch::channel(json!({"phase": "Pending"}));
        let writer = tokio::spawn(async move {
            while newest.changed().await.is_ok() {
                loop {
                    let status = newest.borrow_and_update().clone();
                    let written = client.patch_status(PODS, &metadata, &status).await;
                    if !matches!(written, Err(Failure::Unavailable(_))) {
                        // Refused means that the pod is gone or another one by now.
                        break;
                    }
                    if ending.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                        return;
                    }
                }
            }
        });
        Self { status, writer }
    }

    /// Changes the status.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut Value)) {
        self.status.send_modify(edit);
    }

    /// Waits until the last status is written.
    pub(super) async fn finish(self) {
        drop(self.status);
        // It ends by itself and does not panic.
        let _ = self.writer.await;
    }
}
