//! Who runs the pods? One kubelet for all nodes of the lab: it schedules them, gives them a
//! network, runs their containers as processes, and says in their status what became of them.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio_util::task::TaskTracker;

use crate::api::{Change, PODS, Selector, Store};
use crate::home::Home;
use crate::net::{Namespace, Node};

mod answer;
mod events;
mod logs;
mod place;
mod pod;
mod process;
mod program;
mod schedule;
mod status;

pub(crate) use process::Surroundings;
pub(crate) use status::seconds;

/// A node with the network that its pods join.
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

/// Runs the pods of a [`Store`]. Clones are the same kubelet.
#[derive(Clone)]
pub(crate) struct Kubelet {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    home: Home,
    surroundings: Surroundings,
    sites: Vec<NodeSite>,
    places: place::Places,
    logs: Mutex<HashMap<LogKey, logs::Log>>,
    printed: broadcast::Sender<Printed>,
    tracker: TaskTracker,
}

type LogKey = (String, String, String);

/// What a pod's task is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Run,
    Stop { grace: u64 },
}

// === impl Kubelet ===

impl Kubelet {
    /// A kubelet that does nothing until it is [run](Self::run).
    pub(crate) fn new(store: Store, home: Home, surroundings: Surroundings, sites: Vec<NodeSite>) -> Self {
        let (printed, _) = broadcast::channel(4096);
        let shared = Shared {
            store,
            home,
            surroundings,
            sites,
            places: place::Places::default(),
            logs: Mutex::default(),
            printed,
            tracker: TaskTracker::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Every line that a container prints from now on.
    pub(crate) fn printed(&self) -> broadcast::Receiver<Printed> {
        self.shared.printed.subscribe()
    }

    /// Follows the pods until the task that runs this is dropped.
    pub(crate) async fn run(self) {
        let mut pods: HashMap<String, watch::Sender<Order>> = HashMap::new();
        loop {
            let Ok(list) = self.shared.store.list(&PODS, "", &Selector::default()) else { return };
            for pod in &list.items {
                self.see(&mut pods, pod, false);
            }
            let Ok(changes) = self.shared.store.watch(&PODS, "", Selector::default(), list.version) else {
                return;
            };
            let mut changes = std::pin::pin!(changes);
            // The only error is that history was forgotten; then everything is listed again.
            while let Some(Ok(event)) = changes.next().await {
                self.see(&mut pods, &event.object, event.change == Change::Deleted);
            }
        }
    }

    /// Stops all pods at once and waits until they have ended.
    pub(crate) async fn stop(&self) {
        if let Ok(list) = self.shared.store.list(&PODS, "", &Selector::default()) {
            for pod in list.items {
                let _ = self.shared.store.finalize(&pod);
            }
        }
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }

    /// The nodes.
    pub(crate) fn sites(&self) -> &[NodeSite] {
        &self.shared.sites
    }

    /// The last `count` lines of each container in `namespace`.
    pub(crate) fn last_lines(&self, namespace: &str, count: u64) -> Vec<String> {
        let logs = self.shared.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let of_namespace = logs.iter().filter(|((of, _, _), _)| of == namespace);
        of_namespace
            .flat_map(|((_, pod, _), log)| {
                let (lines, _) = log.since(log.written().saturating_sub(count));
                lines.into_iter().map(move |line| format!("{pod}: {}", String::from_utf8_lossy(&line.text)))
            })
            .collect()
    }

    fn see(&self, pods: &mut HashMap<String, watch::Sender<Order>>, pod: &Arc<Value>, gone: bool) {
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
                let _ = self.shared.store.finalize(pod);
            }
            (None, None) if !is_finished(pod) => {
                let (sender, orders) = watch::channel(Order::Run);
                pods.insert(uid, sender);
                self.shared.tracker.spawn(pod::live(self.shared.clone(), pod.clone(), orders));
            }
            _ => {}
        }
    }
}

// === impl Shared ===

impl Shared {
    /// The node for a pod, and the pod with that node written into it.
    fn bind(&self, pod: &Value) -> Result<&NodeSite, String> {
        let counts = self.places.counts();
        let candidates: Vec<schedule::Candidate> = self
            .sites
            .iter()
            .map(|site| schedule::Candidate {
                name: site.name.clone(),
                labels: site.labels.clone(),
                pods: counts.get(&site.number).copied().unwrap_or_default(),
            })
            .collect();
        let name = schedule::schedule(pod, &candidates)?;
        self.sites.iter().find(|site| site.name == name).ok_or_else(|| format!("the lab has no node {name}"))
    }

    fn log(&self, namespace: &str, pod: &str, container: &str) -> logs::Log {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.entry((namespace.into(), pod.into(), container.into())).or_default().clone()
    }

    /// The log of a container that runs or ran.
    fn known_log(&self, namespace: &str, pod: &str, container: &str) -> Option<logs::Log> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.get(&(namespace.to_owned(), pod.to_owned(), container.to_owned())).cloned()
    }

    fn drop_logs(&self, namespace: &str, pod: &str) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|(in_namespace, of_pod, _), _| in_namespace != namespace || of_pod != pod);
    }

    fn look_up(&self, namespace: &str, kind: &str, name: &str, key: &str) -> Option<String> {
        let (resource, encoded) = match kind {
            "Secret" => (&crate::api::SECRETS, true),
            _ => (&crate::api::CONFIG_MAPS, false),
        };
        let object = self.store.get(resource, namespace, name).ok()?;
        let value = object["data"][key].as_str()?;
        if !encoded {
            return Some(value.to_owned());
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(value).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Writes into a pod's status, as long as it is still the same pod.
    fn write_status(&self, pod: &Value, edit: impl FnOnce(&mut Value)) {
        let metadata = &pod["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        // Not found means that it was deleted meanwhile.
        let _ = self.store.modify(&PODS, namespace, name, |current| {
            if current["metadata"]["uid"] == metadata["uid"] {
                if !current["status"].is_object() {
                    current["status"] = json!({});
                }
                edit(&mut current["status"]);
            }
        });
    }

    fn write_network(&self, pod: &Value, node: &NodeSite, address: IpAddr) {
        let host = node.node.address().to_string();
        self.write_status(pod, |status| {
            status["hostIP"] = json!(host);
            status["hostIPs"] = json!([{"ip": host}]);
            status["podIP"] = json!(address.to_string());
            status["podIPs"] = json!([{"ip": address.to_string()}]);
            status["startTime"] = json!(seconds(jiff::Timestamp::now()));
        });
    }

    fn announce(&self, pod: &Value, network: &Namespace) {
        use std::os::fd::{AsFd, AsRawFd};
        let entry = crate::home::PodEntry {
            network: network.as_fd().as_raw_fd(),
            environment: self.surroundings.environment.clone(),
        };
        let metadata = &pod["metadata"];
        if let Err(error) =
            self.home.announce_pod(text(&metadata["namespace"]), text(&metadata["name"]), &entry)
        {
            tracing::warn!(%error, "podid lab exec will not find this pod");
        }
    }
}

fn is_finished(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
