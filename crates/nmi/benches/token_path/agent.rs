//! How does the agent look that is measured?
//!
//! As on a full node: 110 pods, each with an identity of its own, assigned, and tokens of the usual size. Kubernetes
//! and IMDS are played; between the socket and the answer everything is the real thing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use http::{Request, Response};
use http_body_util::Full;
use jiff::Timestamp;
use podid_azure::cloud::{AllowedAuthorities, Cloud};
use podid_azure::entra::Entra;
use podid_azure::http::{Client, Settings};
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Protected, Terms};
use podid_core::facts::{
    Assignment, AssignmentState, Binding, Identity, IdentityKind, POD_LABEL, Phase, Pod,
};
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
use tokio_util::task::TaskTracker;
use tracing::Dispatch;

use crate::clients;
use crate::place::Place;

/// The most pods that a node has.
const PODS: usize = 110;
/// The length of a token, in bytes.
const TOKEN: usize = 1_200;

/// Kubernetes, as far as it is asked; a bench in which it is asked for anything else is broken.
struct NoKubernetes;

/// An agent that logs to `log` and asks the IMDS at `imds`.
pub(crate) fn start(imds: SocketAddr, log: Dispatch) -> Place {
    Place::start(log, move |listener| async move {
        let clock = Arc::new(Timestamp::now);
        let readiness = Readiness::new();
        let (world, mut snapshots) = World::new(sources(), readiness.guard("watches"), clock.clone());
        tokio::spawn(world.run(Shutdown::new()));
        snapshots.wait_for(|snapshot| snapshot.complete).await.unwrap();

        let metrics = Metrics::register(&mut Registry::default());
        let client = Client::new(Settings::new("bench"));
        let paces = Paces::unlimited();
        let upstreams = Upstreams {
            imds: Imds::new(client.clone(), format!("http://{imds}")),
            entra: Entra::new(client.clone()),
            authority: Cloud::public().endpoints.authority,
            allowed: AllowedAuthorities::default(),
            auxiliary_tenants: false,
            secrets: Arc::new(NoKubernetes),
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
                mode: Mode::Standard,
                matching: Matching::ClusterWide,
                node: node(),
                protected: Protected::default(),
                hold_unknown: Duration::from_secs(5),
                hold_under_way: Duration::from_secs(5),
            },
            lookup: Lookup::new(NoKubernetes, metrics.clone()),
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
        let handler = move |request, peer| server.handle(request, peer);
        serve("token requests", listener, Shutdown::new(), handler).await;
    })
}

/// An IMDS that gives a token to everyone.
pub(crate) fn start_imds() -> SocketAddr {
    let place = Place::start(Dispatch::none(), |listener| {
        serve("IMDS", listener, Shutdown::new(), |request, _| std::future::ready(answer(&request)))
    });
    place.address
}

fn answer<B>(request: &Request<B>) -> Response<Full<Bytes>> {
    let query = request.uri().query().unwrap();
    let number = query.rsplit_once("identity-").unwrap().1.split('&').next().unwrap();
    let now = Timestamp::now().as_second();
    let token = serde_json::json!({
        "access_token": format!("{}.{}.signature", "h".repeat(TOKEN / 4), "p".repeat(TOKEN / 2)),
        "client_id": client_id(number.parse().unwrap()),
        "expires_in": "86400",
        "expires_on": (now + 86_400).to_string(),
        "ext_expires_in": "86400",
        "not_before": now.to_string(),
        "resource": "https://vault.azure.net",
        "token_type": "Bearer",
    });
    Response::new(Full::new(token.to_string().into()))
}

fn sources() -> Sources {
    Sources {
        pods: told(pod),
        exceptions: stream::iter([Change::Synced]).chain(stream::pending()).boxed(),
        assignments: Some(told(assignment)),
        bindings: told(binding),
        identities: told(identity),
    }
}

/// A watch that tells of all facts and then of nothing more.
fn told<F: Fact + Send + Sync + 'static>(fact: fn(usize) -> F) -> Changes<F>
where
    Change<F>: Send,
{
    let facts = (0..PODS).map(move |number| Change::Applied(Arc::new(fact(number))));
    stream::iter(facts.chain([Change::Synced])).chain(stream::pending()).boxed()
}

fn node() -> NodeName {
    NodeName::new("node-0")
}

fn pod(number: usize) -> Pod {
    // The first pods have the clients' addresses.
    let address = if number < clients::COUNT {
        clients::address(number)
    } else {
        IpAddr::V4(Ipv4Addr::new(10, 244, 0, u8::try_from(number).unwrap()))
    };
    Pod {
        id: ObjectRef::new("shop", format!("pod-{number}")),
        uid: Uid::new(format!("pod-{number}")),
        node: Some(node()),
        labels: [(POD_LABEL.into(), format!("app-{number}").into())].into(),
        addresses: vec![address],
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(Timestamp::UNIX_EPOCH),
    }
}

fn identity(number: usize) -> Identity {
    let resource_id = format!(
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/identities/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/identity-{number}"
    );
    Identity {
        id: ObjectRef::new("shop", format!("identity-{number}")),
        uid: Uid::new(format!("identity-{number}")),
        spec_hash: 1,
        kind: Ok(IdentityKind::Managed {
            resource_id: IdentityResourceId::parse(&resource_id).unwrap(),
            client_id: ClientId::parse(&client_id(number)).unwrap(),
        }),
        namespaced: false,
    }
}

fn client_id(number: usize) -> String {
    format!("00000000-0000-0000-0000-{number:012}")
}

fn binding(number: usize) -> Binding {
    Binding {
        id: ObjectRef::new("shop", format!("binding-{number}")),
        uid: Uid::new(format!("binding-{number}")),
        spec_hash: 1,
        identity: format!("identity-{number}").into(),
        selector: format!("app-{number}").into(),
    }
}

fn assignment(number: usize) -> Assignment {
    Assignment {
        id: ObjectRef::new("default", format!("pod-{number}-shop-identity-{number}")),
        uid: Uid::new(format!("assignment-{number}")),
        pod: pod(number).id,
        node: node(),
        identity: identity(number),
        binding: binding(number),
        state: AssignmentState::Assigned,
        created: None,
        terminating: false,
    }
}

// === impl NoKubernetes ===

impl ListPods for NoKubernetes {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>> {
        Box::pin(async { unreachable!("every client is a known pod") })
    }
}

impl ReadSecret for NoKubernetes {
    fn read<'a>(&'a self, _: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        Box::pin(async { unreachable!("every identity is a managed one") })
    }
}
