//! How does a test get a cluster with podid in it?

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt, empty};
use podid_kube::Client;
use podid_lab::api::{Access, LogOptions, PodLogs, Settings, Status, Store, serve};
use podid_lab::azure::pki::Authority;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const TOKEN: &str = "a-token";
const CRDS: [&str; 4] = [
    include_str!("../../../../deploy/crds/azureassignedidentity.yaml"),
    include_str!("../../../../deploy/crds/azureidentity.yaml"),
    include_str!("../../../../deploy/crds/azureidentitybinding.yaml"),
    include_str!("../../../../deploy/crds/azurepodidentityexception.yaml"),
];

/// The lab's API server, with two nodes and the agent of managed mode.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) store: Store,
    _ends: DropGuard,
}

struct NoLogs;

impl PodLogs for NoLogs {
    fn open(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        async move { Ok(empty().boxed()) }.boxed()
    }
}

// === impl Cluster ===

impl Cluster {
    pub(crate) async fn managed() -> Self {
        let cluster = Self::empty().await;
        cluster.create("nodes", &node("pool-a")).await;
        cluster.create("nodes", &node("pool-b")).await;
        cluster.create("pods", &agent("nmi", &["nmi", "--operation-mode=managed"])).await;
        cluster
    }

    pub(crate) async fn standard() -> Self {
        let cluster = Self::empty().await;
        cluster.create("nodes", &node("pool-a")).await;
        cluster.create("pods", &agent("nmi", &["nmi"])).await;
        cluster.create("pods", &agent("mic", &["mic"])).await;
        cluster
    }

    pub(crate) async fn empty() -> Self {
        let crds = CRDS.map(|text| serde_saphyr::from_str(text).unwrap()).into();
        let store = Store::new(Settings { crds, root_ca: "PEM".into(), history: 1000 }).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let authority = Authority::new("test").unwrap();
        let tls = authority.issue(&["127.0.0.1"]).unwrap().server_config().unwrap();
        let stop = CancellationToken::new();
        let access = Access::new(Arc::new(tls), TOKEN);
        tokio::spawn(serve(store.clone(), Arc::new(NoLogs), access, listener, stop.clone()));
        let folder = tempfile::tempdir().unwrap();
        let (ca, file) = (folder.path().join("ca.pem"), folder.path().join("config"));
        std::fs::write(&ca, authority.ca_pem()).unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{address}"), "certificate-authority": ca,
            }}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let client = podid_kube::client::connect(Some(&file), "test").await.unwrap();
        Self { client, store, _ends: stop.drop_guard() }
    }

    /// Creates an object as somebody else.
    pub(crate) async fn create(&self, plural: &str, object: &Value) {
        let group = match object["apiVersion"].as_str().unwrap() {
            "v1" => "/api/v1".to_owned(),
            other => format!("/apis/{other}"),
        };
        let namespace = object["metadata"]["namespace"].as_str();
        let path = namespace.map_or(format!("{group}/{plural}"), |namespace| {
            format!("{group}/namespaces/{namespace}/{plural}")
        });
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(object.to_string().into_bytes()).unwrap();
        self.client.request_text(request).await.unwrap();
    }

    /// An object, by its path; null where it is not.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let text = self.client.request_text(request).await.unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What there is of pod identities: kind, namespace, name and spec of each object.
    pub(crate) async fn outline(&self) -> Vec<String> {
        let mut all = Vec::new();
        for plural in ["azureidentities", "azureidentitybindings", "azurepodidentityexceptions"] {
            let list = self.get(&format!("/apis/aadpodidentity.k8s.io/v1/{plural}")).await;
            for item in list["items"].as_array().unwrap() {
                let (metadata, spec) = (&item["metadata"], &item["spec"]);
                let (name, labels) = (&metadata["name"], &metadata["labels"]);
                all.push(format!("{plural} {}/{name} {labels} {spec}", metadata["namespace"]));
            }
        }
        all
    }
}

fn node(pool: &str) -> Value {
    let id = format!(
        "azure:///subscriptions/s/resourceGroups/MC_g/providers/Microsoft.Compute/virtualMachineScaleSets/{pool}/virtualMachines/0"
    );
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("{pool}-0")}, "spec": {"providerID": id}})
}

fn agent(component: &str, command: &[&str]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": component, "namespace": "kube-system",
            "labels": {"app.kubernetes.io/component": component},
        },
        "spec": {"containers": [{"name": "c", "image": "podid", "command": command}]},
    })
}
