//! Who runs the pods? One kubelet for all nodes of the lab: it schedules them, gives them a
//! network, runs their containers as processes, and says in their status what became of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::{Client, Failure, PODS, Seen, text};
use crate::home::Home;
use crate::net::{Namespace, Node};

mod answer;
mod container;
mod events;
mod heartbeat;
mod logs;
mod place;
mod pod;
mod process;
mod program;
mod report;
mod schedule;
mod status;

pub(crate) use heartbeat::microseconds;
pub(crate) use logs::Logs;
pub(crate) use process::Surroundings;
pub(crate) use status::seconds;

/// Pause before the server is asked again for something that must happen.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// A node with the network that its pods join.
#[derive(Clone)]
pub(crate) struct NodeSite {
    /// Its name in Kubernetes.
    pub name: String,
    /// Its number: the third part of its pods' addresses.
    pub number: u8,
    /// Its network.
    pub node: Node,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A line that a container printed.
#[derive(Clone, Debug)]
pub(crate) struct Printed {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// The line.
    pub text: Bytes,
}

/// What a kubelet works with.
pub(crate) struct Means {
    /// How it reaches the API server.
    pub client: Client,
    /// Where it keeps what containers print.
    pub logs: Logs,
    /// Where it says how to step into a pod.
    pub home: Home,
    /// What every program finds around it.
    pub surroundings: Surroundings,
    /// The nodes.
    pub sites: Vec<NodeSite>,
    /// Whether the cluster has no other nodes, so that a pod for one would wait forever.
    pub alone: bool,
}

/// Runs the pods of a cluster's lab nodes. Clones are the same kubelet.
#[derive(Clone)]
pub(crate) struct Kubelet {
    shared: Arc<Shared>,
}

struct Shared {
    means: Means,
    events: events::Events,
    places: place::Places,
    printed: broadcast::Sender<Printed>,
    /// What each pod's task is told, by the pod's uid.
    pods: Mutex<HashMap<String, watch::Sender<Order>>>,
    tracker: TaskTracker,
    ending: CancellationToken,
}

/// What a pod's task is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Run,
    Stop { grace: u64 },
}

// === impl Kubelet ===

impl Kubelet {
    /// A kubelet that does nothing until it is [run](Self::run).
    pub(crate) fn new(means: Means) -> Self {
        let (printed, _) = broadcast::channel(4096);
        let shared = Shared {
            events: events::Events::new(means.client.clone()),
            means,
            places: place::Places::default(),
            printed,
            pods: Mutex::default(),
            tracker: TaskTracker::new(),
            ending: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Every line that a container prints from now on.
    pub(crate) fn printed(&self) -> broadcast::Receiver<Printed> {
        self.shared.printed.subscribe()
    }

    /// Follows the pods until it is [stopped](Self::stop).
    pub(crate) async fn run(self) {
        tokio::join!(self.follow(), self.beat());
    }

    async fn beat(&self) {
        let nodes: Vec<String> = self.sites().iter().map(|site| site.name.clone()).collect();
        heartbeat::beat(&self.shared.means.client, &nodes, &self.shared.ending).await;
    }

    async fn follow(&self) {
        let mut listed = HashSet::new();
        let mut pods = std::pin::pin!(self.shared.means.client.follow(PODS));
        while let Some(Some(seen)) = self.shared.ending.run_until_cancelled(pods.next()).await {
            match seen {
                Seen::Listing => listed.clear(),
                Seen::Listed(pod) => {
                    listed.insert(text(&pod["metadata"]["uid"]).to_owned());
                    self.see(pod, false);
                }
                Seen::Complete => {
                    for (_, order) in self.shared.pods().iter().filter(|(uid, _)| !listed.contains(*uid)) {
                        order.send_replace(Order::Stop { grace: 0 });
                    }
                }
                Seen::Changed(pod) => self.see(pod, false),
                Seen::Gone(pod) => self.see(pod, true),
            }
        }
    }

    /// Stops all pods at once and waits until they have ended.
    pub(crate) async fn stop(&self) {
        self.shared.ending.cancel();
        for order in self.shared.pods().values() {
            order.send_replace(Order::Stop { grace: 0 });
        }
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    /// The nodes.
    pub(crate) fn sites(&self) -> &[NodeSite] {
        &self.shared.means.sites
    }

    fn see(&self, pod: Value, gone: bool) {
        let shared = &self.shared;
        if !shared.is_ours(&pod) {
            return;
        }
        let mut pods = shared.pods();
        pods.retain(|_, order| !order.is_closed());
        let uid = text(&pod["metadata"]["uid"]).to_owned();
        let stop = if gone {
            Some(Order::Stop { grace: 0 })
        } else if pod["metadata"]["deletionTimestamp"].is_string() {
            let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(30);
            Some(Order::Stop { grace })
        } else {
            None
        };
        match (stop, pods.get(&uid)) {
            (Some(order), Some(running)) => {
                running.send_replace(order);
            }
            (Some(_), None) if !gone => {
                let shared = shared.clone();
                self.shared.tracker.spawn(async move { shared.remove(&pod).await });
            }
            (None, None) if !is_finished(&pod) && !shared.ending.is_cancelled() => {
                let (sender, orders) = watch::channel(Order::Run);
                pods.insert(uid, sender);
                self.shared.tracker.spawn(pod::live(shared.clone(), pod, orders));
            }
            _ => {}
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Whether this kubelet answers for a pod: it is on a node of the lab, or on none yet.
    fn is_ours(&self, pod: &Value) -> bool {
        let node = text(&pod["spec"]["nodeName"]);
        self.means.alone || node.is_empty() || self.site(node).is_some()
    }

    fn site(&self, name: &str) -> Option<&NodeSite> {
        self.means.sites.iter().find(|site| site.name == name)
    }

    /// The node for a pod.
    fn choose(&self, pod: &Value) -> Result<&NodeSite, String> {
        let counts = self.places.counts();
        let candidates: Vec<schedule::Candidate> = self
            .means
            .sites
            .iter()
            .map(|site| schedule::Candidate {
                name: site.name.clone(),
                labels: site.labels.clone(),
                pods: counts.get(&site.number).copied().unwrap_or_default(),
            })
            .collect();
        let name = schedule::schedule(pod, &candidates)?;
        self.site(&name).ok_or_else(|| format!("the lab has no node {name}"))
    }

    /// Removes a pod that is being deleted and has stopped: the last act of a kubelet.
    async fn remove(&self, pod: &Value) {
        while let Err(Failure::Unavailable(_)) = self.means.client.remove(PODS, &pod["metadata"]).await {
            if self.ending.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    }

    fn announce(&self, pod: &Value, network: &Namespace) {
        use std::os::fd::{AsFd, AsRawFd};
        let entry = crate::home::PodEntry {
            network: network.as_fd().as_raw_fd(),
            environment: self.means.surroundings.environment.clone(),
        };
        let metadata = &pod["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        if let Err(error) = self.means.home.announce_pod(namespace, name, &entry) {
            tracing::warn!(%error, "podid lab exec will not find this pod");
        }
    }

    // Every write leaves it whole, so a poisoned lock is still good.
    fn pods(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Order>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the pod is to stop; the grace in seconds.
async fn stop_order(orders: &mut watch::Receiver<Order>) -> u64 {
    match orders.wait_for(|order| *order != Order::Run).await.as_deref() {
        Ok(Order::Stop { grace }) => *grace,
        _ => 0,
    }
}

fn is_finished(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}
