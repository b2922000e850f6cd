//! Do podid's Kubernetes client and the lab's API server get along, over TLS, with the committed schemas?
#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use podid_core::facts::AssignmentState;
use podid_core::ids::{NodeName, ObjectRef, Uid};
use podid_kube::call::CallError;
use podid_kube::crd::{Embedded, STANDARD};
use podid_kube::events::{Event, Severity, Subject, recorder};
use podid_kube::lease::{Lease, Settings as LeaseSettings};
use podid_kube::ledger::Ledger;
use podid_kube::records::{Record, create_assignment, delete, mark, renew_assignment};
use podid_kube::watch::{self, Change, Changes, Fact, Original};
use podid_kube::{Client, client, lookup, manifests};
use podid_lab::api::{self, Access, LogOptions, PODS, PodLogs, Resource, SECRETS, Status, Store};
use podid_lab::azure::pki::Authority;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

const IDENTITIES: Resource = Resource::new("aadpodidentity.k8s.io", "azureidentities");
const BINDINGS: Resource = Resource::new("aadpodidentity.k8s.io", "azureidentitybindings");
const ASSIGNMENTS: Resource = Resource::new("aadpodidentity.k8s.io", "azureassignedidentities");

/// Nothing in these tests takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Silent;

impl PodLogs for Silent {
    fn open(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        Box::pin(std::future::ready(Ok(futures::stream::empty().boxed())))
    }
}

/// A served store and a client for it.
struct Cluster {
    store: Store,
    client: Client,
    _stop: DropGuard,
    _files: tempfile::TempDir,
}

impl Cluster {
    /// Defines the custom resources under the given file names of `deploy/crds`.
    async fn start(wanted: impl Fn(&str) -> bool) -> Self {
        let authority = Authority::new("test").unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.crt"), authority.ca_pem()).unwrap();
        let definitions = manifests::all()
            .unwrap()
            .into_iter()
            .filter(|(path, _)| path.starts_with("crds/") && wanted(path));
        let crds = definitions.map(|(_, yaml)| serde_saphyr::from_str(&yaml).unwrap()).collect();
        let settings = api::Settings { crds, root_ca: authority.ca_pem().to_owned(), history: 1000 };
        let store = Store::new(settings).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = authority.issue(&["127.0.0.1"]).unwrap().server_config().unwrap();
        let stop = CancellationToken::new();
        let access = Access::new(Arc::new(tls), "sesame");
        tokio::spawn(api::serve(store.clone(), Arc::new(Silent), access, listener, stop.clone()));
        let kubeconfig = files.path().join("config");
        let content = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("https://{address}"), "certificate-authority": "ca.crt"}}],
            "users": [{"name": "c", "user": {"token": "sesame"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]
        });
        std::fs::write(&kubeconfig, content.to_string()).unwrap();
        let client = client::connect(Some(Path::new(&kubeconfig)), "podid-test").await.unwrap();
        Self { store, client, _stop: stop.drop_guard(), _files: files }
    }

    fn add(&self, resource: &Resource, namespace: &str, object: Value) -> Value {
        self.store.create(resource, namespace, object).unwrap().as_ref().clone()
    }
}

async fn next<F: Fact>(changes: &mut Changes<F>) -> Change<F> {
    tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap()
}

async fn original<F: Fact>(changes: &mut Changes<Original<F>>) -> Arc<Original<F>> {
    match next(changes).await {
        Change::Applied(original) => original,
        other => unreachable!("{other:?}"),
    }
}

fn identity() -> Value {
    json!({
        "metadata": {"name": "id", "namespace": "default", "annotations": {"aadpodidentity.k8s.io/Behavior": "namespaced"}},
        "spec": {
            "resourceID": "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
            "clientID": "c"
        }
    })
}

fn binding() -> Value {
    json!({"metadata": {"name": "b", "namespace": "default"}, "spec": {"azureIdentity": "id", "selector": "web"}})
}

#[tokio::test]
async fn a_record_lives_from_created_to_gone_and_a_node_sees_its_own() {
    let cluster = Cluster::start(|_| true).await;
    let client = &cluster.client;
    client::require_crds(client, &STANDARD).await.unwrap();
    cluster.add(&IDENTITIES, "default", identity());
    cluster.add(&BINDINGS, "default", binding());
    let identity = original(&mut watch::identity_originals(client.clone())).await;
    let binding = original(&mut watch::binding_originals(client.clone())).await;
    assert!(identity.fact.kind.is_ok() && identity.fact.namespaced);

    let mut mine = watch::assignments_on_node(client.clone(), &NodeName::new("node-1"));
    let mut others = watch::assignments_on_node(client.clone(), &NodeName::new("node-2"));
    assert_eq!(next(&mut mine).await, Change::Synced);
    assert_eq!(next(&mut others).await, Change::Synced);

    let record = Record {
        id: ObjectRef::new("default", "web-default-id"),
        pod: ObjectRef::new("default", "web"),
        node: NodeName::new("node-1"),
        identity: identity.copy.clone(),
        binding: binding.copy.clone(),
        state: AssignmentState::Created,
    };
    let made = create_assignment(client, &record).await.unwrap();
    assert_eq!(
        (&made.identity, &made.binding),
        (&identity.fact, &binding.fact),
        "copies are as good as originals"
    );
    let Change::Applied(seen) = next(&mut mine).await else { unreachable!() };
    assert_eq!(*seen, made);
    let stored = cluster.store.get(&ASSIGNMENTS, "default", "web-default-id").unwrap();
    assert_eq!(&stored["spec"]["azureIdentityRef"], identity.copy.json(), "nothing is pruned");

    mark(client, &record.id, AssignmentState::Assigned).await.unwrap();
    let Change::Applied(seen) = next(&mut mine).await else { unreachable!() };
    assert_eq!(seen.state, AssignmentState::Assigned);

    let mut copy = identity.copy.json().clone();
    copy["metadata"].as_object_mut().unwrap().remove("annotations");
    renew_assignment(client, &Record { identity: Embedded::new(copy), ..record.clone() }).await.unwrap();
    let Change::Applied(seen) = next(&mut mine).await else { unreachable!() };
    assert_eq!((seen.state, seen.identity.namespaced), (AssignmentState::Created, false));

    delete(client, &record.id, Some(&Uid::new("another"))).await.unwrap();
    delete(client, &record.id, Some(&made.uid)).await.unwrap();
    let gone = async { while next(&mut mine).await != Change::Gone(record.id.clone()) {} };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert!(cluster.store.get(&ASSIGNMENTS, "default", "web-default-id").is_err());
    let node_2 = tokio::time::timeout(Duration::from_millis(50), others.next()).await;
    assert!(node_2.is_err(), "{node_2:?}");
}

#[tokio::test]
async fn bad_objects_are_refused_with_the_words_of_the_definition() {
    let cluster = Cluster::start(|_| true).await;
    let mut bad = identity();
    bad["spec"]["resourceID"] = "https://evil/x".into();
    let status = cluster.store.create(&IDENTITIES, "default", bad).unwrap_err();
    assert!(format!("{status:?}").contains("az identity show --query id"), "{status:?}");
    let mut bad = binding();
    bad["spec"]["selector"] = "".into();
    let status = cluster.store.create(&BINDINGS, "default", bad).unwrap_err();
    assert!(format!("{status:?}").contains("aadpodidbinding"), "{status:?}");
}

#[tokio::test]
async fn a_kind_that_is_not_defined_is_named() {
    let cluster = Cluster::start(|path| !path.contains("assigned")).await;
    let error = client::require_crds(&cluster.client, &STANDARD).await.unwrap_err();
    assert!(error.to_string().contains("azureassignedidentities.aadpodidentity.k8s.io"), "{error}");
}

#[tokio::test]
async fn one_of_two_candidates_leads_and_hands_over_at_its_end() {
    let cluster = Cluster::start(|_| true).await;
    let candidate = |identity: &str| {
        let settings = LeaseSettings {
            namespace: "default".into(),
            name: "aad-pod-identity-mic".into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            legacy: true,
        };
        let (lease, leads) = Lease::new(&cluster.client, &settings);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(lease.run(async move { drop(stopped.await) }));
        (leads, stop)
    };
    let (mut a, stop_a) = candidate("a");
    tokio::time::timeout(PATIENCE, a.wait_for(|leads| *leads)).await.unwrap().unwrap();
    let (mut b, _stop_b) = candidate("b");
    drop(stop_a);
    tokio::time::timeout(PATIENCE, b.wait_for(|leads| *leads)).await.unwrap().unwrap();
    assert!(!*a.borrow());
}

#[tokio::test]
async fn pods_secrets_events_and_the_ledger_are_read_and_written() {
    let cluster = Cluster::start(|_| true).await;
    let client = &cluster.client;
    for (name, node) in [("here", "node-1"), ("there", "node-2")] {
        let spec = json!({"nodeName": node, "containers": [{"name": "c", "image": "x/demo"}]});
        cluster.add(
            &PODS,
            "default",
            json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec}),
        );
    }
    let node = NodeName::new("node-1");
    let found = lookup::pods_on_node(client, &node, PATIENCE).await.unwrap();
    assert_eq!(found.iter().map(|pod| &*pod.id.name).collect::<Vec<_>>(), ["here"]);
    let mut watched = watch::pods_on_node(client.clone(), &node);
    assert_eq!(next(&mut watched).await, Change::Applied(Arc::new(found[0].clone())));
    assert_eq!(next(&mut watched).await, Change::Synced);

    let secret =
        json!({"metadata": {"name": "s", "namespace": "default"}, "data": {"clientSecret": "aGlkZGVu"}});
    cluster.add(&SECRETS, "default", secret);
    let secret = lookup::secret(client, &ObjectRef::new("default", "s"), PATIENCE).await.unwrap();
    assert!(secret.entries.contains_key("clientSecret") && !format!("{secret:?}").contains("hidden"));
    let missing = lookup::secret(client, &ObjectRef::new("default", "t"), PATIENCE).await;
    assert!(matches!(missing, Err(CallError::Absent { .. })));

    let ledger = Ledger::new(client, "default", "podid-ownership");
    let mut page = ledger.read().await.unwrap();
    page.entries.insert("vmss".into(), "[]".into());
    let page = ledger.write(page).await.unwrap();
    assert_eq!(ledger.read().await.unwrap(), page);

    let (recorder, deliveries) = recorder(client.clone(), "mic-0");
    for _ in 0..2 {
        recorder.record(Event {
            subject: Subject::Pod,
            id: found[0].id.clone(),
            uid: Some(found[0].uid.clone()),
            severity: Severity::Warning,
            reason: "binding apply error",
            message: "no".into(),
        });
    }
    drop(recorder);
    deliveries.run().await;
    let about = cluster.store.selector(&api::EVENTS, "", "involvedObject.name=here").unwrap();
    let events = cluster.store.list(&api::EVENTS, "default", &about).unwrap();
    assert_eq!(events.items.len(), 1);
    assert_eq!(events.items[0]["count"], 2);
}
