//! What does Kubernetes hold, when is it assigned, and what was the API server asked?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config};
use podid_testbed::{ControlPlane, Programs};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::azure::Cloud;

/// Where everything is that pods need.
pub(crate) const NAMESPACE: &str = "shop";
/// The controller's namespace and account, as `deploy/infra` has them.
const HOME: &str = "default";
const ACCOUNT: &str = "aad-pod-id-mic-service-account";
/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(5);
/// Requests of ours at the same time.
const AT_ONCE: usize = 16;

/// The API server and a client of ours.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    client: Client,
}

/// What the controller asked of the API server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    /// Writes of `AzureAssignedIdentity`.
    pub(crate) records: usize,
    pub(crate) events: usize,
    /// Of the lock: Lease and Endpoints.
    pub(crate) election: usize,
    /// Everything else, watches and lists apart.
    pub(crate) others: usize,
}

// === impl Cluster ===

impl Cluster {
    /// With definitions, the controller's rights, and so many nodes, spread over the scale sets.
    pub(crate) fn start(programs: &Programs, runtime: &Runtime, cloud: &Cloud, nodes: usize) -> Self {
        let plane = ControlPlane::start(programs).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let read = kube::config::Kubeconfig::read_from(plane.admin_kubeconfig()).unwrap();
        let client = runtime.block_on(async {
            let config = Config::from_custom_kubeconfig(read, &options).await.unwrap();
            Client::try_from(config).unwrap()
        });
        let cluster = Self { plane, client };
        // Its process is ours, so its workloads are not wanted.
        let mut objects = podid_kube::manifests::Install::default().standard().unwrap();
        objects.retain(|object| object["kind"] != "Deployment" && object["kind"] != "DaemonSet");
        cluster.apply(&objects);
        cluster
            .plane
            .kubectl(&["wait", "--for=condition=Established", "crds", "--all", "--timeout=60s"])
            .ok();
        cluster.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})]);
        runtime.block_on(async {
            let nodes = (0..nodes).map(|number| node(number, cloud));
            cluster.create("v1", "Node", "nodes", None, nodes).await;
        });
        cluster.account_is_there(runtime);
        cluster
    }

    /// The file by which the controller reaches it, with exactly its rights.
    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        self.plane.kubeconfig_for(HOME, ACCOUNT).unwrap()
    }

    fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.plane.kubectl_with(&["apply", "--server-side", "--filename=-"], &list.to_string()).ok();
    }

    /// A pod needs the service account of its namespace.
    fn account_is_there(&self, runtime: &Runtime) {
        let accounts = self.api("v1", "ServiceAccount", "serviceaccounts", Some(NAMESPACE));
        let end = Instant::now() + PATIENCE;
        while runtime.block_on(accounts.get_opt("default")).unwrap().is_none() {
            assert!(Instant::now() < end, "namespace {NAMESPACE} has no service account");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn api(&self, version: &str, kind: &str, plural: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        match namespace {
            None => Api::all_with(self.client.clone(), &resource),
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
        }
    }

    /// Creates the objects, some at a time.
    async fn create(
        &self,
        version: &str,
        kind: &str,
        plural: &str,
        namespace: Option<&str>,
        objects: impl Iterator<Item = Value>,
    ) {
        let api = self.api(version, kind, plural, namespace);
        let create = |object: Value| {
            let api = api.clone();
            async move {
                let object: DynamicObject = serde_json::from_value(object).unwrap();
                api.create(&PostParams::default(), &object).await.unwrap();
            }
        };
        futures::stream::iter(objects.map(create)).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// Identities that exist in Azure.
    pub(crate) async fn create_identities(&self, cloud: &Cloud) {
        let identity = |(number, identity): (usize, &podid_lab::azure::ManagedIdentity)| {
            let spec = json!({"type": 0, "resourceID": identity.id.as_str(), "clientID": identity.client_id});
            object("AzureIdentity", number, &spec)
        };
        let all = cloud.identities.iter().enumerate().map(identity);
        self.create(GROUP, "AzureIdentity", "azureidentities", Some(NAMESPACE), all).await;
    }

    /// A binding for each identity; its selector is the identity's name.
    pub(crate) async fn create_bindings(&self, count: usize) {
        let binding = |number| {
            let name = format!("app-{number}");
            object("AzureIdentityBinding", number, &json!({"azureIdentity": name, "selector": name}))
        };
        let all = (0..count).map(binding);
        self.create(GROUP, "AzureIdentityBinding", "azureidentitybindings", Some(NAMESPACE), all).await;
    }

    /// Pods on their nodes, each with one of the identities.
    pub(crate) async fn create_pods(&self, numbers: std::ops::Range<usize>, nodes: usize, identities: usize) {
        let all = numbers.map(|number| pod(number, nodes, identities));
        self.create("v1", "Pod", "pods", Some(NAMESPACE), all).await;
    }

    /// Removes a pod at once, as there is no kubelet that would.
    pub(crate) async fn delete_pod(&self, number: usize) {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.api("v1", "Pod", "pods", Some(NAMESPACE)).delete(&format!("pod-{number}"), &now).await.unwrap();
    }

    /// When each record became `Assigned`, until so many are.
    pub(crate) async fn until_assigned(&self, count: usize) -> Vec<Instant> {
        let mut when: BTreeMap<String, Instant> = BTreeMap::new();
        let mut seen = self.records();
        while when.len() < count {
            let next = tokio::time::timeout(PATIENCE, seen.try_next()).await;
            let object =
                next.unwrap_or_else(|_| panic!("{} of {count} are assigned", when.len())).unwrap().unwrap();
            if object.data["status"]["status"] == "Assigned" {
                when.entry(object.metadata.name.unwrap()).or_insert_with(Instant::now);
            }
        }
        when.into_values().collect()
    }

    /// Returns when no record is left.
    pub(crate) async fn until_no_record(&self) {
        let records = self.api(GROUP, "AzureAssignedIdentity", "azureassignedidentities", None);
        while !records.list(&ListParams::default().limit(1)).await.unwrap().items.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn records(&self) -> futures::stream::BoxStream<'static, watcher::Result<DynamicObject>> {
        let records = self.api(GROUP, "AzureAssignedIdentity", "azureassignedidentities", None);
        watcher(records, watcher::Config::default()).applied_objects().boxed()
    }

    /// What the controller asked, apart from the first `skip` requests of the log.
    pub(crate) fn requests(&self, skip: usize) -> Requests {
        let account = format!("system:serviceaccount:{HOME}:{ACCOUNT}");
        let mut requests = Requests::default();
        for event in self.plane.audit().unwrap().into_iter().skip(skip).filter(|event| event.user == account)
        {
            match (&*event.resource, &*event.verb) {
                (_, "list" | "watch") => {}
                ("leases" | "endpoints", _) => requests.election += 1,
                ("events", _) => requests.events += 1,
                ("azureassignedidentities", _) => requests.records += 1,
                _ => requests.others += 1,
            }
        }
        requests
    }

    /// How long the log is.
    pub(crate) fn asked(&self) -> usize {
        self.plane.audit().unwrap().len()
    }
}

const GROUP: &str = "aadpodidentity.k8s.io/v1";

fn object(kind: &str, number: usize, spec: &Value) -> Value {
    let metadata = json!({"name": format!("app-{number}"), "namespace": NAMESPACE});
    json!({"apiVersion": GROUP, "kind": kind, "metadata": metadata, "spec": spec})
}

fn node(number: usize, cloud: &Cloud) -> Value {
    let (set, instance) = (number % cloud.scale_sets.len(), number / cloud.scale_sets.len());
    let id = format!("azure://{}/virtualMachines/{instance}", cloud.scale_sets[set].as_str());
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{number}")}, "spec": {"providerID": id}})
}

fn pod(number: usize, nodes: usize, identities: usize) -> Value {
    let labels = json!({"aadpodidbinding": format!("app-{}", number % identities)});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("pod-{number}"), "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "nodeName": format!("node-{}", number % nodes),
            "automountServiceAccountToken": false,
            "containers": [{"name": "app", "image": "app"}],
        },
    })
}
