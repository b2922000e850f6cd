//! What did the simulated Azure see and say? The lab's timeline and its tests read this.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// One request and its answer. Never holds a token, a secret or an assertion.
#[derive(Clone, Debug)]
pub struct Trace {
    /// When the answer left.
    pub at: Instant,
    /// Who answered.
    pub service: Service,
    /// Where the request came from.
    pub caller: IpAddr,
    /// Whether that address belongs to a pod and not to the node itself. IMDS cannot tell; the lab can.
    pub from_pod: bool,
    /// Method and path, for example `GET /metadata/instance`.
    pub what: String,
    /// HTTP status; 0 where the connection was closed without an answer.
    pub status: u16,
    /// From the request's last byte to the answer.
    pub took: Duration,
    /// What it was about: the identity, the resource, the error.
    pub detail: String,
}

/// The services of the simulated Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// Instance metadata service.
    Imds,
    /// Entra.
    Entra,
    /// Key Vault.
    Vault,
}

// === impl Service ===

impl Service {
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "ARM",
            Self::Imds => "IMDS",
            Self::Entra => "Entra",
            Self::Vault => "Key Vault",
        }
    }
}
