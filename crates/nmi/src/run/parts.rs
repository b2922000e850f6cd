//! What are requests answered with, and where does it come from?

use std::sync::Arc;

use podid_azure::cloud::AllowedAuthorities;
use podid_azure::entra::Entra;
use podid_azure::http;
use podid_azure::imds::Imds;
use podid_core::answer::{Mode, Terms};
use podid_kube::{Client, watch};
use podid_runtime::shutdown::Shutdown;
use tokio_util::task::TaskTracker;

use crate::audit::Audit;
use crate::clock;
use crate::config::Config;
use crate::forward::Forward;
use crate::lookup::{KubePods, Lookup};
use crate::metrics::Metrics;
use crate::neighbour::Neighbours;
use crate::notice::Notices;
use crate::origin::{Follower, Origin};
use crate::pace::Paces;
use crate::server::Parts;
use crate::source::{KubeSecrets, Source, Upstreams};
use crate::world::Sources;

/// Who tells whether there will be a successor.
pub(super) fn origin(config: &Config, cluster: &Client) -> (Origin, Option<Follower>) {
    let Some(id) = &config.daemon_set else { return (Origin::unknown(), None) };
    let (origin, follower) = Origin::watched(cluster.clone(), id.clone());
    (origin, Some(follower))
}

/// What the agent watches.
pub(super) fn sources(config: &Config, cluster: &Client) -> Sources {
    let assignments = (config.mode == Mode::Standard).then(|| {
        if config.own_assignments_only {
            watch::assignments_on_node(cluster.clone(), &config.node)
        } else {
            watch::assignments(cluster.clone())
        }
    });
    Sources {
        pods: watch::pods_on_node(cluster.clone(), &config.node),
        exceptions: watch::exceptions(cluster.clone()),
        assignments,
        bindings: watch::bindings(cluster.clone()),
        identities: watch::identities(cluster.clone()),
    }
}

/// What a request needs to be answered.
pub(super) fn parts(
    config: &Config,
    cluster: &Client,
    metrics: &Metrics,
    (audit, notices): (Audit, Notices),
    neighbours: Neighbours,
    fetches: &TaskTracker,
    draining: &Shutdown,
) -> Parts {
    let http = http::Client::new(http::Settings::new(&config.user_agent));
    let allowed = AllowedAuthorities::with(&config.allowed_authorities).and_cloud(&config.cloud);
    let paces = Paces::default();
    let upstreams = Upstreams {
        imds: Imds::new(http.clone(), format!("http://{}", config.metadata)),
        entra: Entra::new(http.clone()),
        authority: config.cloud.endpoints.authority.clone(),
        allowed,
        auxiliary_tenants: config.callers.auxiliary_tenants,
        secrets: Arc::new(KubeSecrets(cluster.clone())),
        paces: paces.clone(),
    };
    Parts {
        rules: config.rules,
        terms: Terms {
            mode: config.mode,
            matching: config.matching,
            node: config.node.clone(),
            protected: config.callers.protected.clone(),
            hold_unknown: config.holds.unknown(),
            hold_under_way: config.holds.under_way(),
        },
        lookup: Lookup::new(KubePods::new(cluster.clone(), config.node.clone()), metrics.clone()),
        neighbours,
        source: Source::new(upstreams, metrics.clone(), fetches.clone()),
        forward: Forward::new(http, config.metadata.into(), paces, metrics.clone()),
        metrics: metrics.clone(),
        audit,
        notices,
        draining: draining.clone(),
        clock: clock::system(),
    }
}
