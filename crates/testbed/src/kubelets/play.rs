//! What is to be done for the pods, and doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::place::place;
use super::status;

/// After a failed write, when the API server is down for example, all is looked at again so much later.
const AGAIN: Duration = Duration::from_millis(250);

/// What the played parts know.
pub(super) struct World {
    /// Address of each node that is played.
    played: BTreeMap<String, Ipv4Addr>,
    nodes: BTreeMap<String, Node>,
    /// By uid.
    pods: BTreeMap<String, Pod>,
    /// What was done and needs no repetition until it shows: uid and deed.
    done: BTreeSet<(String, Deed)>,
    addresses: u32,
    /// Whether all nodes and all pods have been seen since a watch began.
    complete: (bool, bool),
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Bind(String),
    Explain(String),
    Run,
    Remove,
}

/// Something was seen.
enum Seen {
    Node(Box<Event<Node>>),
    Pod(Box<Event<Pod>>),
}

// === impl World ===

impl World {
    pub(super) fn new(played: BTreeMap<String, Ipv4Addr>) -> Self {
        let (nodes, pods, done) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { played, nodes, pods, done, addresses: 0, complete: (false, false) }
    }

    /// Plays until the task is ended.
    pub(super) async fn run(mut self, client: Client) {
        let mut events = std::pin::pin!(events(&client));
        let mut failed = false;
        loop {
            let next = events.next();
            if failed {
                if let Ok(Some(seen)) = tokio::time::timeout(AGAIN, next).await {
                    self.learn(seen);
                }
            } else if let Some(seen) = next.await {
                self.learn(seen);
            } else {
                return;
            }
            failed = false;
            for (uid, deed) in self.deeds() {
                match self.act(&client, &uid, &deed).await {
                    Ok(()) => _ = self.done.insert((uid, deed)),
                    // Somebody else was faster; the watch will tell.
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => {}
                    Err(_) => failed = true,
                }
            }
        }
    }

    fn learn(&mut self, seen: Seen) {
        match seen {
            Seen::Node(event) => self.learn_node(*event),
            Seen::Pod(event) => self.learn_pod(*event),
        }
    }

    fn learn_node(&mut self, event: Event<Node>) {
        match event {
            Event::Apply(node) | Event::InitApply(node) => _ = self.nodes.insert(node.name_any(), node),
            Event::Delete(node) => _ = self.nodes.remove(&node.name_any()),
            Event::Init => {
                self.complete.0 = false;
                self.nodes.clear();
            }
            Event::InitDone => self.complete.0 = true,
        }
    }

    fn learn_pod(&mut self, event: Event<Pod>) {
        match event {
            Event::Apply(pod) | Event::InitApply(pod) => {
                _ = self.pods.insert(pod.uid().unwrap_or_default(), pod);
            }
            Event::Delete(pod) => {
                let uid = pod.uid().unwrap_or_default();
                self.pods.remove(&uid);
                self.done.retain(|(other, _)| *other != uid);
            }
            Event::Init => {
                self.complete.1 = false;
                self.pods.clear();
            }
            Event::InitDone => self.complete.1 = true,
        }
    }

    fn deeds(&self) -> Vec<(String, Deed)> {
        if self.complete != (true, true) {
            return Vec::new();
        }
        let deeds = self.pods.iter().filter_map(|(uid, pod)| Some((uid.clone(), self.deed(pod)?)));
        deeds.filter(|deed| !self.done.contains(deed)).collect()
    }

    /// What this pod needs now.
    fn deed(&self, pod: &Pod) -> Option<Deed> {
        let spec = pod.spec.as_ref()?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
        let Some(node) = spec.node_name.as_deref() else {
            let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
            let ours = spec.scheduler_name.as_deref() == Some("default-scheduler") && !gated;
            let pods: Vec<_> = self.pods.values().collect();
            let played = self.nodes.values().filter(|node| self.played.contains_key(&node.name_any()));
            return ours.then(|| place(pod, played, &pods).map_or_else(Deed::Explain, Deed::Bind));
        };
        self.played.get(node)?;
        if pod.metadata.deletion_timestamp.is_some() {
            Some(Deed::Remove)
        } else {
            (phase == "Pending").then_some(Deed::Run)
        }
    }

    async fn act(&mut self, client: &Client, uid: &str, deed: &Deed) -> kube::Result<()> {
        let Some(pod) = self.pods.get(uid) else { return Ok(()) };
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let api = Api::<Pod>::namespaced(client.clone(), &namespace);
        match deed {
            Deed::Bind(node) => {
                let binding = json!({
                    "metadata": {"name": name, "namespace": namespace, "uid": uid},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": node},
                });
                let posted = PostParams::default();
                let _: Value = api.create_subresource("binding", &name, &posted, &binding).await?;
                // The next pod must see that this one has a place.
                if let Some(spec) = self.pods.get_mut(uid).and_then(|pod| pod.spec.as_mut()) {
                    spec.node_name = Some(node.clone());
                }
            }
            Deed::Explain(why) => patch(&api, &name, status::unschedulable(why, Timestamp::now())).await?,
            Deed::Run => {
                self.addresses += 1;
                let address = status::pod_address(self.addresses);
                let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
                let host = self.played.get(node).copied().unwrap_or(Ipv4Addr::UNSPECIFIED);
                patch(&api, &name, status::running(pod, host, address, Timestamp::now())).await?;
            }
            Deed::Remove => {
                let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
                let now = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
                api.delete(&name, &now.grace_period(0)).await?;
            }
        }
        Ok(())
    }
}

async fn patch(api: &Api<Pod>, name: &str, patch: Value) -> kube::Result<()> {
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// What changes about nodes and pods, without an end. A watch that fails is begun again.
fn events(client: &Client) -> impl Stream<Item = Seen> + use<> {
    let nodes = watcher(Api::<Node>::all(client.clone()), watcher::Config::default());
    let pods = watcher(Api::<Pod>::all(client.clone()), watcher::Config::default());
    let nodes = nodes.default_backoff().map_ok(|event| Seen::Node(Box::new(event)));
    let pods = pods.default_backoff().map_ok(|event| Seen::Pod(Box::new(event)));
    futures::stream::select(nodes, pods).filter_map(|seen| std::future::ready(seen.ok()))
}
