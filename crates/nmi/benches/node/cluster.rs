//! What does Kubernetes hold?

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use podid_lab::api::{Access, LogOptions, PODS, PodLogs, Resource, Settings, Status, Store, serve};
use podid_lab::azure::pki::Authority;
use podid_lab::net::GATEWAY;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::stage::Place;

/// The most pods that a node has.
pub(crate) const PODS_OF_A_NODE: usize = 110;
/// The pods from here on to the last of a node have no assignment yet.
pub(crate) const UNASSIGNED: usize = 60;
/// Namespace of all objects.
const NAMESPACE: &str = "shop";
const TOKEN: &str = "bench";
static IDENTITIES: Resource = Resource::new("aadpodidentity.k8s.io", "azureidentities");
static BINDINGS: Resource = Resource::new("aadpodidentity.k8s.io", "azureidentitybindings");
static ASSIGNMENTS: Resource = Resource::new("aadpodidentity.k8s.io", "azureassignedidentities");

/// The API server, and how it is reached.
pub(crate) struct Cluster {
    store: Store,
    folder: TempDir,
}

/// Nobody asks for logs.
struct NoLogs;

// === impl Cluster ===

impl Cluster {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let crds =
            podid_kube::crd::definitions().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
        let authority = Authority::new("bench").unwrap();
        let tls = authority.issue(&[GATEWAY.to_string()]).unwrap().server_config().unwrap();
        let settings = Settings { crds, root_ca: authority.ca_pem().to_owned(), history: 50_000 };
        let store = Store::new(settings).unwrap();
        let address = SocketAddr::from((GATEWAY, 6443));
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let access = Access::new(Arc::new(tls), TOKEN);
        runtime.spawn(serve(store.clone(), Arc::new(NoLogs), access, listener, CancellationToken::new()));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kubeconfig"), kubeconfig(address, authority.ca_pem())).unwrap();
        let cluster = Self { store, folder };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        cluster.create(&podid_lab::api::NAMESPACES, "", namespace);
        cluster
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A full node: each pod has an identity of its own, and most of them are assigned.
    pub(crate) fn fill_node(&self, place: &Place) {
        for pod in 0..PODS_OF_A_NODE {
            self.add_identity(place, pod);
            self.add_pod(&place.name(), pod, place.address(pod));
            if pod < UNASSIGNED {
                self.assign(place, pod);
            }
        }
    }

    /// A pod that may use the identity of its number.
    pub(crate) fn add_pod(&self, node: &str, pod: usize, address: Ipv4Addr) {
        let object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("{node}-pod-{pod}"), "labels": {"aadpodidbinding": format!("{node}-{pod}")}},
            "spec": {"nodeName": node, "containers": [{"name": "app", "image": "app"}]},
            "status": {
                "phase": "Running", "podIP": address.to_string(), "podIPs": [{"ip": address.to_string()}],
                "startTime": "2026-01-01T00:00:00Z"
            }
        });
        self.create(&PODS, NAMESPACE, object);
    }

    /// The identity of a pod, and its binding.
    pub(crate) fn add_identity(&self, place: &Place, pod: usize) {
        let (name, number) = (format!("{}-{pod}", place.name()), number(place, pod));
        let identity = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"name": name},
            "spec": {"type": 0, "clientID": client_id(number), "resourceID": resource_id(number)}
        });
        self.create(&IDENTITIES, NAMESPACE, identity);
        let binding = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": {"name": name},
            "spec": {"azureIdentity": name, "selector": name}
        });
        self.create(&BINDINGS, NAMESPACE, binding);
    }

    /// What MIC writes once the identity is on the node's machine.
    pub(crate) fn assign(&self, place: &Place, pod: usize) {
        let (node, name) = (place.name(), format!("{}-{pod}", place.name()));
        let copy = |resource| Value::clone(&self.store.get(resource, NAMESPACE, &name).unwrap());
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity",
            "metadata": {"name": format!("{node}-pod-{pod}"), "labels": {"nodename": node}},
            "spec": {
                "pod": format!("{node}-pod-{pod}"), "podNamespace": NAMESPACE, "nodename": node,
                "azureIdentityRef": copy(&IDENTITIES), "azureBindingRef": copy(&BINDINGS)
            },
            "status": {"status": "Assigned", "availableReplicas": 1}
        });
        self.create(&ASSIGNMENTS, "default", object);
    }

    fn create(&self, resource: &Resource, namespace: &str, object: Value) {
        self.store.create(resource, namespace, object).unwrap();
    }
}

/// The number of a pod's identity, unique in the cluster.
fn number(place: &Place, pod: usize) -> usize {
    usize::from(place.number) * 10_000 + pod
}

fn resource_id(number: usize) -> String {
    format!(
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/identities/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/identity-{number}"
    )
}

/// The client id of an identity, which IMDS knows, too.
pub(crate) fn client_id(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn kubeconfig(server: SocketAddr, ca: &str) -> String {
    let ca = STANDARD.encode(ca);
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {
            "server": format!("https://{server}"), "certificate-authority-data": ca
        }}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "users": [{"name": "bench", "user": {"token": TOKEN}}]
    });
    config.to_string()
}

impl PodLogs for NoLogs {
    fn open(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        Box::pin(async { Err(Status::bad_request("no logs here")) })
    }
}
