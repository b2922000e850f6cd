//! The controller between its API server and its ARM, and what users do to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use podid_core::assign::Protected;
use podid_core::ids::{ComputeId, IdentityResourceId};
use podid_core::select::Matching;
use podid_core::strategy::Strategy;
use podid_runtime::shutdown::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Api, FakeArm};
use crate::config::{Cloud, Config, Lock};
use crate::run::{Error, Listeners, Own, serve};

const RECORDS: &str = "azureassignedidentities";

/// The stage. Without [`Stage::start`] the controller is off.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) arm: FakeArm,
    pub(crate) protected: Protected,
    pub(crate) identity: String,
    pub(crate) strategy: Strategy,
    /// How long an identity stays that nobody needs.
    pub(crate) stay: Duration,
    running: Option<Running>,
}

/// A running controller.
struct Running {
    shutdown: Shutdown,
    cut: Arc<AtomicBool>,
    metrics: SocketAddr,
    task: JoinHandle<Result<(), Error>>,
}

/// The scale set `name`.
pub(crate) fn pool(name: &str) -> ComputeId {
    ComputeId::scale_set("s", "g", name)
}

/// The resource id of the managed identity `name`.
pub(crate) fn identity_id(name: &str) -> IdentityResourceId {
    let id = format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    );
    IdentityResourceId::parse(&id).unwrap()
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new() -> Self {
        let (api, arm) = (Api::default(), FakeArm::default());
        Self {
            api,
            arm,
            protected: Protected::default(),
            identity: "mic-0".to_owned(),
            strategy: Strategy::PerUse,
            stay: Duration::ZERO,
            running: None,
        }
    }

    /// A stage on which the controller runs, with the nodes `a` and `b` of the scale set `pool`.
    pub(crate) async fn running() -> Self {
        let mut stage = Self::new();
        stage.node("a", "pool", 0);
        stage.node("b", "pool", 1);
        stage.start().await;
        stage
    }

    pub(crate) async fn start(&mut self) {
        let shutdown = Shutdown::new();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let listeners = Listeners {
            probes: TcpListener::bind(any).await.unwrap(),
            metrics: TcpListener::bind(any).await.unwrap(),
        };
        let metrics = listeners.metrics.local_addr().unwrap();
        let config = Config {
            kubeconfig: None,
            cloud: Cloud::Environment,
            namespace: "mic".to_owned(),
            matching: Matching::ClusterWide,
            strategy: self.strategy,
            lock: Lock {
                namespace: "default".to_owned(),
                name: "aad-pod-identity-mic".to_owned(),
                identity: self.identity.clone(),
                duration: Duration::from_secs(15),
                legacy: true,
            },
            probes: any,
            metrics: any,
            immutable: Vec::new(),
            batch: 20,
            compare: Duration::from_mins(3),
            check: Duration::from_hours(1),
            refused: Duration::from_secs(1),
            stay: self.stay,
            user_agent: None,
        };
        let cut = Arc::default();
        let (client, arm) = (self.api.client(&cut), self.arm.link(&cut));
        let own = Own {
            protected: self.protected.clone(),
            follower: None,
            changes: tokio::sync::mpsc::channel(1).1,
        };
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { serve(&config, client, arm, own, listeners, stop).await });
        self.running = Some(Running { shutdown, cut, metrics, task });
    }

    /// Stops it as a rollout does.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        let Running { shutdown, task, .. } = self.running.take().unwrap();
        shutdown.begin();
        task.await.unwrap()
    }

    /// What it answers to whoever asks for metrics.
    pub(crate) async fn metrics(&self) -> String {
        let mut connection = TcpStream::connect(self.running.as_ref().unwrap().metrics).await.unwrap();
        connection
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: mic\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Waits for it to end by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), Error> {
        self.running.take().unwrap().task.await.unwrap()
    }

    /// Ends it in the middle of whatever it does, and frees its lock at once.
    pub(crate) async fn kill(&mut self) {
        let Running { shutdown, cut, task, .. } = self.running.take().unwrap();
        cut.store(true, Ordering::Relaxed);
        shutdown.begin();
        task.abort();
        let _ = task.await;
        for lock in ["leases", "endpoints"] {
            self.api.delete(lock, "default", "aad-pod-identity-mic");
        }
    }

    pub(crate) fn node(&self, name: &str, pool: &str, instance: u32) {
        let id = format!("azure://{}/virtualMachines/{instance}", super::pool(pool));
        self.odd_node(name, &id);
    }

    pub(crate) fn odd_node(&self, name: &str, provider_id: &str) {
        let spec = json!({"providerID": provider_id});
        self.api.apply(
            "nodes",
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}),
        );
    }

    /// A running pod with a label, both ways.
    pub(crate) fn pod(&self, namespace: &str, name: &str, label: &str, node: &str) {
        self.pod_in_phase(namespace, name, label, node, "Running");
    }

    pub(crate) fn pod_in_phase(&self, namespace: &str, name: &str, label: &str, node: &str, phase: &str) {
        self.api.apply(
            "pods",
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"namespace": namespace, "name": name, "labels": {"aadpodidbinding": label}},
                "spec": {"nodeName": node, "containers": []},
                "status": {"phase": phase},
            }),
        );
    }

    pub(crate) fn no_pod(&self, namespace: &str, name: &str) {
        self.api.delete("pods", namespace, name);
    }

    /// An `AzureIdentity` for the managed identity of the same name, and a binding of that name.
    pub(crate) fn bound(&self, name: &str, selector: &str) {
        self.managed(name, name);
        self.binding(name, selector);
    }

    pub(crate) fn managed(&self, name: &str, resource: &str) {
        let id = identity_id(resource);
        self.azure_identity(
            name,
            &json!({"type": 0, "resourceID": id.as_str(), "clientID": format!("client-{resource}")}),
            &json!({}),
        );
    }

    pub(crate) fn azure_identity(&self, name: &str, spec: &Value, labels: &Value) {
        self.api.apply(
            "azureidentities",
            json!({
                "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
                "metadata": {"namespace": "ids", "name": name, "labels": labels}, "spec": spec,
            }),
        );
    }

    pub(crate) fn binding(&self, name: &str, selector: &str) {
        self.api.apply("azureidentitybindings", json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding",
            "metadata": {"namespace": "ids", "name": name}, "spec": {"azureIdentity": name, "selector": selector},
        }));
    }

    /// A record as the original writes it.
    pub(crate) fn record(&self, pod: &str, namespace: &str, name: &str, node: &str, state: &str) {
        let id = identity_id(name);
        self.api.apply(RECORDS, json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
            "metadata": {
                "namespace": "default", "name": format!("{pod}-{namespace}-{name}"),
                "finalizers": ["azureassignedidentity.finalizers.aadpodidentity.k8s.io"],
            },
            "spec": {
                "pod": pod, "podNamespace": namespace, "nodename": node,
                "azureIdentityRef": {
                    "metadata": {"namespace": "ids", "name": name},
                    "spec": {"resourceID": id.as_str(), "clientID": format!("client-{name}")},
                },
                "azureBindingRef": {
                    "metadata": {"namespace": "ids", "name": name}, "spec": {"azureIdentity": name, "selector": "app"},
                },
            },
            "status": {"status": state, "availableReplicas": 1},
        }));
    }

    /// Name and state of every record.
    pub(crate) fn records(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = self.api.list(RECORDS);
        all.iter()
            .map(|record| (text(&record["metadata"]["name"]), text(&record["status"]["status"])))
            .collect()
    }

    pub(crate) fn state(&self, record: &str) -> Option<String> {
        self.records().into_iter().find(|(name, _)| name == record).map(|(_, state)| state)
    }

    pub(crate) fn are_assigned(&self, count: usize) -> bool {
        let records = self.records();
        records.len() == count && records.iter().all(|(_, state)| state == "Assigned")
    }

    /// What people read in the ownership record.
    pub(crate) fn ownership(&self) -> String {
        let object = self.api.get("configmaps", "mic", crate::ownership::NAME).unwrap_or_default();
        object["data"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, entry)| entry.as_str().unwrap().to_owned())
            .collect()
    }

    /// Reason and message of every event.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.api
            .list("events")
            .iter()
            .map(|event| (text(&event["reason"]), text(&event["message"])))
            .collect()
    }

    /// Waits, in paused time, until `holds`.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..60_000 {
            if holds(self) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "never: {what}; records {:?}; pool {:?}; ownership {}",
            self.records(),
            self.arm.names(&pool("pool")),
            self.ownership()
        );
    }

    /// Lets everything that is under way end.
    pub(crate) async fn settle(&self) {
        sleep(Duration::from_secs(20)).await;
    }
}
