//! What stands in for Azure in the lab? IMDS, ARM, Entra and Key Vault, written from the published contracts.
//!
//! One [`Azure`] is one tenant. It knows nothing of podid: a client that works here works with what
//! Microsoft documents. Requests are answered by pure functions over one state; the shell around them adds TLS,
//! latency, faults and traces.

mod arm;
mod call;
mod clock;
mod entra;
mod fault;
mod id;
mod imds;
mod jwt;
mod listen;
mod names;
pub mod pki;
pub mod proxy;
mod reply;
mod seed;
mod serve;
mod settings;
mod state;
mod token;
mod trace;
mod vault;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

pub use fault::{Effect, Fault};
pub use id::ArmId;
pub use jwt::UnusableKey;
pub use seed::SeedError;
pub use settings::{Assignment, Bucket, Grants, Latencies, Lifetimes, Limits, Settings};
pub use state::clusters::{ClusterIdentity, ManagedCluster, Pool};
pub use state::directory::{Application, ManagedIdentity};
pub use state::network::{Host, InvalidPrefix, Prefix, Sender};
pub use state::roles::Role;
pub use trace::{Service, Trace};

use clock::Clock;
use jwt::Signer;
use state::State;

/// How many traces a slow reader may be behind before it misses some.
const TRACES_KEPT: usize = 4096;

/// A simulated Azure tenant. Clones are the same tenant.
#[derive(Clone)]
pub struct Azure {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    signer: Signer,
    state: Mutex<State>,
    traces: broadcast::Sender<Trace>,
}

// === impl Azure ===

impl Azure {
    /// An Azure with one subscription and nothing in it.
    pub fn new(settings: Settings) -> Result<Self, UnusableKey> {
        Ok(Self {
            inner: Arc::new(Inner {
                clock: Clock::new(),
                signer: Signer::lab_only()?,
                state: Mutex::new(State::new(settings)),
                traces: broadcast::channel(TRACES_KEPT).0,
            }),
        })
    }

    /// Every request from now on, with its answer.
    pub fn subscribe(&self) -> broadcast::Receiver<Trace> {
        self.inner.traces.subscribe()
    }

    /// Adds a fault that waits for its requests.
    pub fn set_fault(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// Removes the faults that still wait.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Changes settings from now on. What they made is left as it is.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// Lets so much time pass at once: tokens age, operations end, assignments reach IMDS.
    pub fn advance(&self, by: Duration) {
        self.inner.clock.advance(by);
    }

    /// The names that lead here and belong into `/etc/hosts`: ARM, Entra and every vault.
    pub fn hosts(&self) -> Vec<String> {
        let fixed = [names::ARM_HOSTS, names::ENTRA_HOSTS].concat();
        let mut hosts: Vec<String> = fixed.into_iter().map(str::to_owned).collect();
        hosts.extend(
            self.lock().vaults.values().map(|vault| format!("{}{}", vault.id.name(), names::VAULT_DOMAIN)),
        );
        hosts
    }

    /// The state, with everything done that is due by now. Never held across an await.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(self.inner.clock.now());
        state
    }
}
