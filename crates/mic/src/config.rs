//! What can be set?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use podid_core::ids::ClientId;
use podid_core::select::Matching;
use podid_core::strategy::Strategy;

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct Config {
    /// How to reach the API server; none means the cluster that this process is a pod of.
    pub kubeconfig: Option<PathBuf>,
    /// Where the cloud's settings are.
    pub cloud: Cloud,
    /// The namespace of the controller's own pod, for its ownership record.
    pub namespace: String,
    /// How far bindings reach.
    pub matching: Matching,
    /// When identities are put on VMs and scale sets.
    pub strategy: Strategy,
    /// The leader lock.
    pub lock: Lock,
    /// Where `/healthz`, `/livez` and `/readyz` are served.
    pub probes: SocketAddr,
    /// Where `/metrics` is served.
    pub metrics: SocketAddr,
    /// Client ids of identities that are never taken off a VM or scale set.
    pub immutable: Vec<ClientId>,
    /// Record writes at the same time.
    pub batch: usize,
    /// How often each VM or scale set is compared with what should be there.
    pub compare: Duration,
    /// How often everything is planned again, in case a change was missed.
    pub check: Duration,
    /// First wait of an identity that ARM refuses; later ones are longer.
    pub refused: Duration,
    /// How long an identity that nobody needs any more stays on its VM or scale set.
    pub stay: Duration,
    /// Added to the user agent.
    pub user_agent: Option<String>,
}

/// Where the cloud's settings are.
#[derive(Clone, Debug)]
pub enum Cloud {
    /// In an `azure.json`.
    File(PathBuf),
    /// In environment variables.
    Environment,
}

/// The leader lock.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Namespace of the lock.
    pub namespace: String,
    /// Name of the lock.
    pub name: String,
    /// This process's name in it.
    pub identity: String,
    /// How long it is respected after its last renewal.
    pub duration: Duration,
    /// Whether the original's `Endpoints` record is held as well.
    pub legacy: bool,
}
