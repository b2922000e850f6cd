//! Everything around a server, as tests need it.

mod cluster;
mod facts;
mod imds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use podid_azure::cloud::{AllowedAuthorities, Cloud};
use podid_azure::entra::Entra;
use podid_azure::http::{Client, Settings};
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Protected, Terms};
use podid_core::facts::AssignmentState;
use podid_core::ids::NodeName;
use podid_core::request::{PassThrough, Rules};
use podid_core::select::Matching;
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub(super) use self::cluster::{Cluster, Live};
use self::cluster::{LivePods, NoSecrets};
pub(super) use self::facts::{
    assignment, assignment_of, binding, client_id, exception, identity, ip, old_pod, pod, resource_id,
    service_principal,
};
pub(super) use self::imds::{FakeImds, MARK, Says};
use crate::audit::Audit;
use crate::forward::Forward;
use crate::lookup::Lookup;
use crate::metrics::Metrics;
use crate::neighbour::Neighbours;
use crate::pace::Paces;
use crate::server::{Parts, Server};
use crate::snapshot::Snapshot;
use crate::source::{Source, Upstreams};
use crate::world::World;

pub(super) const TOKEN: &str = "/metadata/identity/oauth2/token";
pub(super) const VAULT: &str = "resource=https%3A%2F%2Fvault.azure.net";
pub(super) const METADATA: (&str, &str) = ("metadata", "true");

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
    begun: Instant,
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
        let paces = Paces::default();
        let upstreams = Upstreams {
            imds: Imds::new(client.clone(), format!("http://{}", imds.address)),
            entra: Entra::new(client.clone()),
            authority: Cloud::public().endpoints.authority,
            allowed: AllowedAuthorities::default(),
            auxiliary_tenants: false,
            secrets: Arc::new(NoSecrets),
            paces: paces.clone(),
        };
        let mut rules = Rules {
            metadata_header_required: true,
            block_instance_metadata: false,
            host_token_route: false,
            pass_through: PassThrough::Instance,
        };
        change(&mut rules);
        let (draining, neighbours) = (Shutdown::new(), Neighbours::default());
        let parts = Parts {
            rules,
            terms: Terms {
                mode,
                matching: if mode == Mode::Managed { Matching::Namespaced } else { Matching::ClusterWide },
                node: NodeName::new("node-1"),
                protected: Protected::default(),
                hold_unknown: Duration::from_secs(50),
                hold_under_way: Duration::from_secs(50),
            },
            lookup: Lookup::new(LivePods(cluster.live.clone()), metrics.clone()),
            neighbours: neighbours.clone(),
            source: Source::new(upstreams, metrics.clone(), TaskTracker::new()),
            forward: Forward::new(client, imds.address, paces, metrics.clone()),
            metrics,
            audit: Audit::default(),
            notices: crate::notice::Notices::default(),
            draining: draining.clone(),
            clock,
        };
        let server = Server::new(parts, snapshots.clone());
        Self { cluster, imds, server, registry, draining, neighbours, snapshots, begun }
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
        Self::send_to(&self.server, address, method, target, headers).await
    }

    pub(super) async fn send_to(
        server: &Server,
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
        let reply = server.handle(request, SocketAddr::new(ip(address), 40_000)).await;
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

    /// The time on the paused clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        START + i64::try_from(self.begun.elapsed().as_secs()).unwrap()
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
