//! Which agent is asked?
//!
//! The real server, as the binary puts it together, over a cluster of one pod that is bound to one identity. The pod
//! has the address of loopback and began long ago, so that nothing is waited for. IMDS is played, and remembers
//! what it should not have been asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use podid_azure::cloud::{AllowedAuthorities, Cloud};
use podid_azure::entra::Entra;
use podid_azure::http::{Client, Settings};
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Protected, Terms};
use podid_core::facts::{Binding, Identity, IdentityKind, POD_LABEL, Phase, Pod};
use podid_core::ids::{ClientId, IdentityResourceId, NodeName, ObjectRef, Uid};
use podid_core::request::{PassThrough, Rules};
use podid_core::select::Matching;
use podid_kube::call::CallError;
use podid_kube::lookup::Secret;
use podid_kube::watch::{Change, Changes, Fact};
use podid_nmi::audit::Audit;
use podid_nmi::forward::Forward;
use podid_nmi::lookup::{ListPods, Lookup};
use podid_nmi::metrics::Metrics;
use podid_nmi::neighbour::Neighbours;
use podid_nmi::pace::Paces;
use podid_nmi::server::{Parts, Server};
use podid_nmi::source::{ReadSecret, Source, Upstreams};
use podid_nmi::world::{Sources, World};
use podid_runtime::http::serve;
use podid_runtime::readiness::Readiness;
use podid_runtime::shutdown::Shutdown;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::judge;

/// A text in every token.
pub const MARK: &str = "T0KEN-OF-THE-P0D";
/// The name of the pod's identity.
pub const IDENTITY: &str = "app-identity";

const CLIENT_ID: &str = "00000000-0000-0000-0000-00000000000a";
const HOLD: Duration = Duration::from_secs(1);

/// A running agent.
pub struct Agent {
    pub address: SocketAddr,
    wrongs: Arc<Mutex<Vec<String>>>,
}

/// A cluster in which nothing is asked for live.
struct Nothing;

// === impl Agent ===

impl Agent {
    /// Starts it in this runtime.
    pub async fn start() -> anyhow::Result<Self> {
        let wrongs = Arc::<Mutex<Vec<String>>>::default();
        let imds = imds(wrongs.clone()).await?;
        let clock = Arc::new(Timestamp::now);
        let (world, mut snapshots) = World::new(sources()?, Readiness::new().guard("watches"), clock.clone());
        tokio::spawn(world.run(Shutdown::new()));
        snapshots.wait_for(|snapshot| snapshot.complete).await?;
        let metrics = Metrics::register(&mut Registry::default());
        let client = Client::new(Settings::new("fuzz"));
        let paces = Paces::unlimited();
        let upstreams = Upstreams {
            imds: Imds::new(client.clone(), format!("http://{imds}")),
            entra: Entra::new(client.clone()),
            authority: Cloud::public().endpoints.authority,
            allowed: AllowedAuthorities::default(),
            auxiliary_tenants: false,
            secrets: Arc::new(Nothing),
            paces: paces.clone(),
        };
        let parts = Parts {
            rules: Rules {
                metadata_header_required: true,
                block_instance_metadata: false,
                host_token_route: false,
                pass_through: PassThrough::Instance,
            },
            terms: Terms {
                mode: Mode::Managed,
                matching: Matching::Namespaced,
                node: NodeName::new("node-0"),
                protected: Protected::default(),
                hold_unknown: HOLD,
                hold_under_way: HOLD,
            },
            lookup: Lookup::new(Nothing, metrics.clone()),
            neighbours: Neighbours::default(),
            source: Source::new(upstreams, metrics.clone(), TaskTracker::new()),
            forward: Forward::new(client, imds, paces, metrics.clone()),
            metrics,
            audit: Audit::default(),
            notices: podid_nmi::notice::Notices::default(),
            draining: Shutdown::new(),
            clock,
        };
        let server = Server::new(parts, snapshots);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let handler = move |request, peer| server.handle(request, peer);
        tokio::spawn(serve("token requests", listener, Shutdown::new(), handler));
        Ok(Self { address, wrongs })
    }

    /// What IMDS was asked since the last time that it should not have been.
    pub fn wrongs(&self) -> Vec<String> {
        std::mem::take(&mut *self.wrongs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An IMDS that has the pod's identity.
async fn imds(wrongs: Arc<Mutex<Vec<String>>>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let handler = move |request: Request<Incoming>, _| {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        if let Err(wrong) = judge::upstream(request.method().as_str(), target) {
            wrongs.lock().unwrap_or_else(PoisonError::into_inner).push(wrong);
        }
        std::future::ready(said(target))
    };
    tokio::spawn(serve("IMDS", listener, Shutdown::new(), handler));
    Ok(address)
}

fn said(target: &str) -> Response<Full<Bytes>> {
    // As IMDS does, by how the path begins: what stands deeper in it, or in a query, means nothing there.
    if !target.to_ascii_lowercase().starts_with("/metadata/identity/") {
        return Response::new(Full::new(Bytes::from_static(br#"{"compute":{}}"#)));
    }
    let now = Timestamp::now().as_second();
    let body = format!(
        r#"{{"access_token":"h.{MARK}.s","client_id":"{CLIENT_ID}","expires_in":"86400","expires_on":"{}",
           "ext_expires_in":"86400","not_before":"{now}","resource":"r","token_type":"Bearer"}}"#,
        now + 86_400
    );
    Response::new(Full::new(body.into()))
}

fn sources() -> anyhow::Result<Sources> {
    let resource_id = IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{IDENTITY}"
    ))?;
    let id = |name: &str| ObjectRef::new("shop", name);
    let pod = Pod {
        id: id("web"),
        uid: Uid::new("pod"),
        node: Some(NodeName::new("node-0")),
        labels: [(POD_LABEL.into(), "web".into())].into(),
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(Timestamp::UNIX_EPOCH),
    };
    let identity = Identity {
        id: id(IDENTITY),
        uid: Uid::new("identity"),
        spec_hash: 1,
        kind: Ok(IdentityKind::Managed { resource_id, client_id: ClientId::parse(CLIENT_ID)? }),
        namespaced: false,
    };
    let binding = Binding {
        id: id("web"),
        uid: Uid::new("binding"),
        spec_hash: 1,
        identity: IDENTITY.into(),
        selector: "web".into(),
    };
    Ok(Sources {
        pods: told(vec![pod]),
        exceptions: told(Vec::new()),
        assignments: None,
        bindings: told(vec![binding]),
        identities: told(vec![identity]),
    })
}

/// A watch that tells of all facts and then of nothing more.
fn told<F: Fact + Send + Sync + 'static>(facts: Vec<F>) -> Changes<F>
where
    Change<F>: Send,
{
    let changes = facts.into_iter().map(|fact| Change::Applied(Arc::new(fact)));
    stream::iter(changes.chain([Change::Synced]).collect::<Vec<_>>()).chain(stream::pending()).boxed()
}

// === impl Nothing ===

impl ListPods for Nothing {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

impl ReadSecret for Nothing {
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        Box::pin(std::future::ready(Err(CallError::Absent { what: id.to_string() })))
    }
}
