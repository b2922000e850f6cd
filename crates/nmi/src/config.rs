//! What does the agent need to be told?

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use podid_azure::cloud::Cloud;
use podid_core::answer::{LONGEST_HOLD, Mode, Protected};
use podid_core::ids::{NodeName, ObjectRef};
use podid_core::request::Rules;
use podid_core::select::Matching;

use crate::audit::AuditLog;
use crate::redirect;

/// Settings of one agent, from its flags (peer contract §4.1).
#[derive(Clone, Debug)]
pub struct Config {
    /// The node it serves.
    pub node: NodeName,
    /// Who decides which identities are usable.
    pub mode: Mode,
    /// How far matching reaches.
    pub matching: Matching,
    /// Where to accept redirected connections. The loopback address means: there if the node routes to
    /// it, else at the node's address.
    pub listen: Ipv4Addr,
    /// The port of it.
    pub port: u16,
    /// The metadata service.
    pub metadata: SocketAddrV4,
    /// Where probes are answered.
    pub probes: SocketAddr,
    /// Where metrics are shown.
    pub metrics: SocketAddr,
    /// What the redirect does beside redirecting.
    pub redirect: redirect::Options,
    /// Which requests are answered.
    pub rules: Rules,
    /// Kubeconfig; none inside a cluster.
    pub kubeconfig: Option<PathBuf>,
    /// Whether only this node's assignments are watched, by their label.
    pub own_assignments_only: bool,
    /// Whether it is tested that connections of pods reach the agent.
    pub self_test: bool,
    /// Who gets nothing.
    pub callers: Callers,
    /// How long is waited for what.
    pub holds: Holds,
    /// The DaemonSet that runs the agent, if it is to be watched: with its deletion the redirect goes.
    pub daemon_set: Option<ObjectRef>,
    /// Key of the taint that keeps pods away from the node until the agent is ready, if it has one.
    pub startup_taint: Option<String>,
    /// The kubelet's file, if the node must not be on kubenet.
    pub kubelet_config: Option<PathBuf>,
    /// The cloud, for service principals.
    pub cloud: Cloud,
    /// Hosts that identities may name as their authority, beside those of the clouds.
    pub allowed_authorities: Vec<String>,
    /// `User-Agent` of all calls.
    pub user_agent: String,
    /// What people and machines see of the agent.
    pub running: Running,
}

/// What is written about requests.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// Where the audit stream goes.
    pub audit: AuditLog,
}

/// What is decided about callers beforehand, and about the form of their answers.
#[derive(Clone, Debug, Default)]
pub struct Callers {
    /// Identities that no pod may have.
    pub protected: Protected,
    /// Whether a service principal's tokens of auxiliary tenants are sent along, in a list.
    pub auxiliary_tenants: bool,
}

/// The original's retry flags, as the waits that they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// `--retry-attempts-for-created`
    pub attempts_created: u32,
    /// `--retry-attempts-for-assigned`
    pub attempts_assigned: u32,
    /// `--find-identity-retry-interval`
    pub interval: Duration,
}

// === impl Config ===

impl Config {
    /// The usual metadata service.
    pub const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
}

// === impl Holds ===

impl Holds {
    /// How long an assignment of which there is no sign is waited for.
    pub fn unknown(self) -> Duration {
        self.interval.saturating_mul(self.attempts_created).min(LONGEST_HOLD)
    }

    /// How long an assignment that is under way is waited for.
    pub fn under_way(self) -> Duration {
        let attempts = self.attempts_created.saturating_add(self.attempts_assigned);
        self.interval.saturating_mul(attempts).min(LONGEST_HOLD)
    }
}

impl Default for Holds {
    /// The original's.
    fn default() -> Self {
        Self { attempts_created: 16, attempts_assigned: 4, interval: Duration::from_secs(5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_times_interval_cap_the_hold_at_fifty_seconds() {
        let holds = |created, assigned, seconds| {
            let interval = Duration::from_secs(seconds);
            let holds = Holds { attempts_created: created, attempts_assigned: assigned, interval };
            (holds.unknown().as_secs(), holds.under_way().as_secs())
        };
        assert_eq!(holds(16, 4, 5), (50, 50));
        assert_eq!(holds(2, 4, 5), (10, 30));
        assert_eq!(holds(0, 0, 5), (0, 0));
        assert_eq!(holds(u32::MAX, u32::MAX, 3600), (50, 50));
    }
}
