//! Everything around a server, as tests need it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use podid_azure::cloud::{AllowedAuthorities, Cloud};
use podid_azure::entra::Entra;
use podid_azure::http::{Client, Settings};
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Terms};
use podid_core::facts::{
    Assignment, AssignmentState, Binding, CredentialKind, Exception, Identity, IdentityKind, Phase, Pod,
};
use podid_core::ids::{ClientId, IdentityResourceId, NodeName, ObjectRef, Uid};
use podid_core::request::Rules;
use podid_core::select::Matching;
use podid_kube::call::CallError;
use podid_kube::lookup::Secret;
use podid_kube::watch::{Change, Changes, Fact};
use podid_runtime::http::serve;
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::forward::Forward;
use crate::lookup::{ListPods, Lookup};
use crate::metrics::Metrics;
use crate::neighbour::Neighbours;
use crate::server::{Parts, Server};
use crate::snapshot::Snapshot;
use crate::source::{ReadSecret, Source, Upstreams};
use crate::world::{Sources, World};

pub(super) const TOKEN: &str = "/metadata/identity/oauth2/token";
pub(super) const VAULT: &str = "resource=https%3A%2F%2Fvault.azure.net";
pub(super) const METADATA: (&str, &str) = ("metadata", "true");
/// A text in every token that the fake IMDS gives.
pub(super) const MARK: &str = "S3CR3T-T0KEN";

const START: i64 = 1_700_000_000;

/// An agent with everything around it.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) imds: FakeImds,
    pub(super) server: Server,
    pub(super) registry: Registry,
    pub(super) draining: Shutdown,
    pub(super) neighbours: Neighbours,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// The sending ends of the watches, and what live questions find.
pub(super) struct Cluster {
    pods: mpsc::UnboundedSender<Change<Pod>>,
    exceptions: mpsc::UnboundedSender<Change<Exception>>,
    assignments: mpsc::UnboundedSender<Change<Assignment>>,
    bindings: mpsc::UnboundedSender<Change<Binding>>,
    identities: mpsc::UnboundedSender<Change<Identity>>,
    pub(super) live: Arc<Mutex<Live>>,
}

/// What the API server answers to live questions.
#[derive(Default)]
pub(super) struct Live {
    pub(super) pods: Vec<Pod>,
    pub(super) out_of_reach: bool,
    pub(super) questions: usize,
}

/// An IMDS on loopback.
#[derive(Clone)]
pub(super) struct FakeImds {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<ImdsState>>,
}

struct ImdsState {
    seen: Vec<Seen>,
    identities: Vec<String>,
    says: Says,
    life: u32,
}

/// A request as IMDS saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What IMDS answers to whatever it is asked.
#[derive(Clone)]
pub(super) enum Says {
    /// What IMDS should.
    Truth,
    /// This.
    Reply(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// Nothing, for this long; then the truth.
    Late(Duration),
}

/// An answer to a caller.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// How long it took, on the paused clock.
    pub(super) after: Duration,
}

struct NoSecrets;

// === impl Stage ===

impl Stage {
    pub(super) async fn standard() -> Self {
        Self::with(Mode::Standard, |_| {}).await
    }

    pub(super) async fn managed() -> Self {
        Self::with(Mode::Managed, |_| {}).await
    }

    /// An agent whose watches are in step with an empty cluster.
    pub(super) async fn with(mode: Mode, change: impl FnOnce(&mut Rules)) -> Self {
        let stage = Self::starting(mode, change).await;
        stage.cluster.synced();
        stage.settle().await;
        stage
    }

    /// An agent that has read nothing yet.
    pub(super) async fn starting(mode: Mode, change: impl FnOnce(&mut Rules)) -> Self {
        let begun = Instant::now();
        let clock = Arc::new(move || Timestamp::from_second(START).unwrap() + begun.elapsed());
        let imds = FakeImds::start().await;
        let (cluster, sources) = Cluster::new(mode);
        let (world, snapshots) = World::new(sources, Readiness::new().guard("watches"), clock.clone());
        tokio::spawn(world.run(Shutdown::new()));
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let client = Client::new(Settings::new("test"));
        let upstreams = Upstreams {
            imds: Imds::new(client.clone(), format!("http://{}", imds.address)),
            entra: Entra::new(client.clone()),
            authority: Cloud::public().endpoints.authority,
            allowed: AllowedAuthorities::default(),
            secrets: Arc::new(NoSecrets),
        };
        let mut rules =
            Rules { metadata_header_required: true, block_instance_metadata: false, host_token_route: false };
        change(&mut rules);
        let (draining, neighbours) = (Shutdown::new(), Neighbours::default());
        let parts = Parts {
            rules,
            terms: Terms {
                mode,
                matching: if mode == Mode::Managed { Matching::Namespaced } else { Matching::ClusterWide },
                node: NodeName::new("node-1"),
                hold_unknown: Duration::from_secs(50),
                hold_under_way: Duration::from_secs(50),
            },
            lookup: Lookup::new(LivePods(cluster.live.clone()), metrics.clone()),
            neighbours: neighbours.clone(),
            source: Source::new(upstreams, metrics.clone(), TaskTracker::new()),
            forward: Forward::new(client, imds.address),
            metrics,
            draining: draining.clone(),
            clock,
        };
        let server = Server::new(parts, snapshots.clone());
        Self { cluster, imds, server, registry, draining, neighbours, snapshots }
    }

    /// Lets everything happen that needs no time.
    pub(super) async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// A pod that is bound to an identity, which IMDS has, and in standard mode is assigned.
    pub(super) async fn ready_pod(&self, name: &str, address: &str) {
        self.cluster.apply_pod(pod("shop", name, address));
        self.cluster.apply_assignment(assignment("shop", name, name, AssignmentState::Assigned));
        self.imds.has(&[name]);
        self.settle().await;
    }

    /// GET with the header that SDKs send.
    pub(super) async fn get(&self, address: &str, target: &str) -> Told {
        self.send(address, "GET", target, &[METADATA]).await
    }

    /// A token request for the vault, with `more` in its query.
    pub(super) async fn token(&self, address: &str, more: &str) -> Told {
        self.get(address, &format!("{TOKEN}?api-version=2018-02-01&{VAULT}{more}")).await
    }

    pub(super) async fn send(
        &self,
        address: &str,
        method: &str,
        target: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Told {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(b"body"))).unwrap();
        let begun = Instant::now();
        let reply = self.server.handle(request, SocketAddr::new(ip(address), 40_000)).await;
        let after = begun.elapsed();
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Told {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
            after,
        }
    }

    /// Starts a token request that goes on by itself.
    pub(super) fn start_token(&self, address: &str, more: &str) -> tokio::task::JoinHandle<u16> {
        let request = Request::get(format!("{TOKEN}?{VAULT}{more}"))
            .header("metadata", "true")
            .body(Full::new(Bytes::new()))
            .unwrap();
        let reply = self.server.handle(request, SocketAddr::new(ip(address), 40_000));
        tokio::spawn(async move { reply.await.status().as_u16() })
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// Whether the agent has read everything.
    pub(super) fn is_complete(&self) -> bool {
        self.snapshots.borrow().complete
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pod that has just started, labelled with its own name.
pub(super) fn pod(namespace: &str, name: &str, address: &str) -> Pod {
    Pod {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-of-{namespace}-{name}")),
        node: Some(NodeName::new("node-1")),
        labels: BTreeMap::from([("aadpodidbinding".into(), name.into())]),
        addresses: vec![ip(address)],
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(Timestamp::from_second(START).unwrap()),
    }
}

/// A pod that started long ago, so that nothing is on its way any more.
pub(super) fn old_pod(namespace: &str, name: &str, address: &str) -> Pod {
    Pod { started: Some(Timestamp::from_second(START - 3600).unwrap()), ..pod(namespace, name, address) }
}

pub(super) fn resource_id(name: &str) -> IdentityResourceId {
    IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    ))
    .unwrap()
}

pub(super) fn client_id(name: &str) -> String {
    format!("00000000-0000-0000-0000-client-{name}")
}

/// A managed identity with resource id and client id of its name.
pub(super) fn identity(namespace: &str, name: &str) -> Identity {
    let client_id = ClientId::parse(&client_id(name)).unwrap();
    Identity {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-of-{namespace}-{name}")),
        spec_hash: 1,
        kind: Ok(IdentityKind::Managed { resource_id: resource_id(name), client_id }),
        namespaced: false,
    }
}

pub(super) fn service_principal(namespace: &str, name: &str, authority: Option<&str>) -> Identity {
    let kind = IdentityKind::ServicePrincipal {
        client_id: ClientId::parse(&client_id(name)).unwrap(),
        tenant: "contoso.example".into(),
        secret: "credential".into(),
        credential: CredentialKind::Password,
        authority: authority.map(Into::into),
        auxiliary_tenants: Vec::new(),
    };
    Identity { kind: Ok(kind), ..identity(namespace, name) }
}

/// A binding of its name as selector.
pub(super) fn binding(namespace: &str, name: &str, identity: &str) -> Binding {
    Binding {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new("uid"),
        spec_hash: 1,
        identity: identity.into(),
        selector: name.into(),
    }
}

/// The assignment of `namespace`'s identity to its pod `pod`.
pub(super) fn assignment(namespace: &str, pod: &str, name: &str, state: AssignmentState) -> Assignment {
    assignment_of(identity(namespace, name), pod, state)
}

pub(super) fn assignment_of(identity: Identity, pod: &str, state: AssignmentState) -> Assignment {
    let namespace = identity.id.namespace.clone();
    let name = identity.id.name.clone();
    Assignment {
        id: ObjectRef::new("default", format!("{pod}-{namespace}-{name}")),
        uid: Uid::new("uid"),
        pod: ObjectRef::new(namespace.clone(), pod),
        node: NodeName::new("node-1"),
        binding: Binding { selector: pod.into(), ..binding(&namespace, &name, &name) },
        identity,
        state,
        created: None,
        terminating: false,
    }
}

pub(super) fn exception(namespace: &str, label: &str, value: &str) -> Exception {
    Exception {
        id: ObjectRef::new(namespace, "exception"),
        pod_labels: BTreeMap::from([(label.into(), value.into())]),
    }
}

// === impl Cluster ===

impl Cluster {
    fn new(mode: Mode) -> (Self, Sources) {
        let (pods, pod_changes) = channel();
        let (exceptions, exception_changes) = channel();
        let (assignments, assignment_changes) = channel();
        let (bindings, binding_changes) = channel();
        let (identities, identity_changes) = channel();
        let sources = Sources {
            pods: pod_changes,
            exceptions: exception_changes,
            assignments: (mode == Mode::Standard).then_some(assignment_changes),
            bindings: binding_changes,
            identities: identity_changes,
        };
        let live = Arc::default();
        (Self { pods, exceptions, assignments, bindings, identities, live }, sources)
    }

    /// The watches have told of all that exists.
    pub(super) fn synced(&self) {
        self.synced_but_identities();
        let _ = self.identities.send(Change::Synced);
    }

    /// The same, of all but identities.
    pub(super) fn synced_but_identities(&self) {
        let _ = self.pods.send(Change::Synced);
        let _ = self.exceptions.send(Change::Synced);
        let _ = self.assignments.send(Change::Synced);
        let _ = self.bindings.send(Change::Synced);
    }

    pub(super) fn apply_pod(&self, pod: Pod) {
        let _ = self.pods.send(Change::Applied(Arc::new(pod)));
    }

    pub(super) fn remove_pod(&self, id: ObjectRef) {
        let _ = self.pods.send(Change::Gone(id));
    }

    pub(super) fn apply_exception(&self, exception: Exception) {
        let _ = self.exceptions.send(Change::Applied(Arc::new(exception)));
    }

    pub(super) fn remove_exception(&self, id: ObjectRef) {
        let _ = self.exceptions.send(Change::Gone(id));
    }

    /// An assignment, and the identity and binding that it was written for.
    pub(super) fn apply_assignment(&self, assignment: Assignment) {
        self.apply_identity(assignment.identity.clone());
        self.apply_binding(assignment.binding.clone());
        self.apply_record(assignment);
    }

    /// An assignment alone.
    pub(super) fn apply_record(&self, assignment: Assignment) {
        let _ = self.assignments.send(Change::Applied(Arc::new(assignment)));
    }

    pub(super) fn remove_assignment(&self, id: ObjectRef) {
        let _ = self.assignments.send(Change::Gone(id));
    }

    pub(super) fn remove_binding(&self, id: ObjectRef) {
        let _ = self.bindings.send(Change::Gone(id));
    }

    pub(super) fn apply_binding(&self, binding: Binding) {
        let _ = self.bindings.send(Change::Applied(Arc::new(binding)));
    }

    pub(super) fn remove_identity(&self, id: ObjectRef) {
        let _ = self.identities.send(Change::Gone(id));
    }

    pub(super) fn apply_identity(&self, identity: Identity) {
        let _ = self.identities.send(Change::Applied(Arc::new(identity)));
    }
}

fn channel<F: Fact>() -> (mpsc::UnboundedSender<Change<F>>, Changes<F>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let changes = stream::unfold(receiver, |mut receiver| async move {
        // A watch never ends.
        match receiver.recv().await {
            Some(change) => Some((change, receiver)),
            None => std::future::pending().await,
        }
    });
    (sender, changes.boxed())
}

struct LivePods(Arc<Mutex<Live>>);

impl ListPods for LivePods {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>> {
        let mut live = self.0.lock().unwrap();
        live.questions += 1;
        let unavailable = || CallError::Unavailable {
            what: "list pods".to_owned(),
            problem: "out of reach".to_owned(),
            retry_after: None,
        };
        let answer = if live.out_of_reach { Err(unavailable()) } else { Ok(live.pods.clone()) };
        Box::pin(std::future::ready(answer))
    }
}

impl ReadSecret for NoSecrets {
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        Box::pin(std::future::ready(Err(CallError::Absent { what: id.to_string() })))
    }
}

// === impl FakeImds ===

impl FakeImds {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = ImdsState { seen: Vec::new(), identities: Vec::new(), says: Says::Truth, life: 86_400 };
        let imds = Self { address, state: Arc::new(Mutex::new(state)) };
        let answering = imds.clone();
        tokio::spawn(serve("fake IMDS", listener, Shutdown::new(), move |request, _| {
            let imds = answering.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let target = parts.uri.path_and_query().unwrap().to_string();
                let seen = Seen { method: parts.method.to_string(), target, headers: parts.headers, body };
                imds.answer(seen).await
            }
        }));
        imds
    }

    /// The identities of the machine are now these.
    pub(super) fn has(&self, names: &[&str]) {
        self.state.lock().unwrap().identities.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// The machine loses an identity.
    pub(super) fn has_not(&self, name: &str) {
        self.state.lock().unwrap().identities.retain(|has| has != name);
    }

    pub(super) fn says(&self, says: Says) {
        self.state.lock().unwrap().says = says;
    }

    /// How long tokens live from now on, in seconds.
    pub(super) fn tokens_live(&self, seconds: u32) {
        self.state.lock().unwrap().life = seconds;
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    async fn answer(&self, seen: Seen) -> Response<Full<Bytes>> {
        let says = {
            let mut state = self.state.lock().unwrap();
            state.seen.push(seen.clone());
            state.says.clone()
        };
        match says {
            Says::Truth => self.truth(&seen),
            Says::Late(time) => {
                tokio::time::sleep(time).await;
                self.truth(&seen)
            }
            Says::Reply(status, headers, body) => respond(status, &headers, body),
        }
    }

    fn truth(&self, seen: &Seen) -> Response<Full<Bytes>> {
        if !seen.target.starts_with(TOKEN) {
            return respond(200, &[("x-from", "imds")], r#"{"compute":{"name":"vm"}}"#);
        }
        let state = self.state.lock().unwrap();
        let query = seen.target.split_once('?').map_or("", |(_, query)| query).replace("%2F", "/");
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("msi_res_id="));
        let name = asked.and_then(|id| id.rsplit('/').next()).unwrap_or("system");
        if name != "system" && !state.identities.iter().any(|has| has == name) {
            let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
            return respond(400, &[], body);
        }
        let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"oid":"object-{name}"}}"#));
        let end = START + i64::from(state.life);
        let body = format!(
            r#"{{"access_token":"header.{payload}.{MARK}","client_id":"{}","expires_in":"{}","expires_on":"{end}",
               "ext_expires_in":"86399","not_before":"1699999700","resource":"https://vault.azure.net","token_type":"Bearer"}}"#,
            client_id(name),
            state.life,
        );
        respond(200, &[], &body)
    }
}

fn respond(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

// === impl Told ===

impl Told {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The description of an error, after a look at its form.
    pub(super) fn reason(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/json");
        let json = self.json();
        assert!(json["error"].is_string(), "{json}");
        json["error_description"].as_str().unwrap().to_owned()
    }

    pub(super) fn retry_after(&self) -> Option<&str> {
        self.headers.get("retry-after").map(|value| value.to_str().unwrap())
    }
}
