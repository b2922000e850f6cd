//! Which pods does the Kubernetes API see on this node right now?
//!
//! Asked only about an address that no watch has told of, one question at a time: a silent watch
//! must not mean a node without tokens (W-31, W-44), nor a flood of questions.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use podid_core::facts::Pod;
use podid_core::ids::NodeName;
use podid_kube::call::CallError;
use podid_kube::{Client, lookup};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::metrics::Metrics;
use crate::snapshot::{Owner, Resident};

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The least time between two questions; callers between them share the first one's answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Lists the pods of this node, or says why it cannot.
pub trait ListPods: Send + Sync + 'static {
    /// All pods that are scheduled here, as the API server has them now.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>>;
}

/// Lists over the Kubernetes API.
pub struct KubePods {
    client: Client,
    node: NodeName,
}

/// Asks on behalf of all requests.
pub struct Lookup {
    pods: Box<dyn ListPods>,
    metrics: Metrics,
    last: Mutex<Option<Seen>>,
}

/// An answer, and when the question was put.
struct Seen {
    asked: Instant,
    pods: Result<Vec<Pod>, String>,
}

// === impl KubePods ===

impl KubePods {
    /// The pods of `node`.
    pub fn new(client: Client, node: NodeName) -> Self {
        Self { client, node }
    }
}

impl ListPods for KubePods {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>> {
        Box::pin(lookup::pods_on_node(&self.client, &self.node, TIMEOUT))
    }
}

// === impl Lookup ===

impl Lookup {
    /// A look-up that has asked nothing yet.
    pub fn new(pods: impl ListPods, metrics: Metrics) -> Self {
        Self { pods: Box::new(pods), metrics, last: Mutex::new(None) }
    }

    /// Whose address `address` is by the API's own word, which is not older than `since`.
    pub async fn owner(&self, address: IpAddr, since: Option<Instant>) -> Result<Owner, String> {
        let mut last = self.last.lock().await;
        let seen = match last.take() {
            Some(seen) if seen.asked.elapsed() < PAUSE && since.is_none_or(|since| seen.asked > since) => {
                seen
            }
            Some(seen) => {
                sleep_until(seen.asked + PAUSE).await;
                self.ask().await
            }
            None => self.ask().await,
        };
        let owner = seen.pods.as_ref().map(|pods| among(pods, address)).map_err(Clone::clone);
        *last = Some(seen);
        owner
    }

    async fn ask(&self) -> Seen {
        let asked = Instant::now();
        let pods = self.pods.list().await.map_err(|error| error.to_string());
        if let Err(error) = &pods {
            self.metrics.kubernetes_error("get_pod_list");
            tracing::warn!(error, "cannot list this node's pods to find a caller");
        }
        Seen { asked, pods }
    }
}

fn among(pods: &[Pod], address: IpAddr) -> Owner {
    let now = Timestamp::now();
    let candidates: Vec<Arc<Resident>> = pods
        .iter()
        .filter(|pod| pod.addresses.contains(&address))
        .map(|pod| Resident { pod: Arc::new(pod.clone()), settled: pod.started.unwrap_or(now) })
        .filter(Resident::can_call)
        .map(Arc::new)
        .collect();
    Owner::among(&candidates)
}
