//! In which ways can ARM fail us, told apart by what to do next?

use std::time::Duration;

use podid_core::code::Obstacle;
use podid_core::ids::IdentityResourceId;

use super::Operation;
use crate::credential;
use crate::tokens::Failure;

/// Why a call to ARM did not do what it should.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The resource does not exist: forget it, and count what was to be removed from it as removed.
    #[error("{target} does not exist in Azure")]
    NotFound {
        /// The resource.
        target: String,
    },
    /// Somebody else wrote meanwhile, or another operation is under way: read again, and decide anew.
    #[error("{target} was changed by somebody else, or is being changed: {detail}")]
    Conflict {
        /// The resource.
        target: String,
        /// ARM's words.
        detail: String,
    },
    /// ARM names identities that cannot be assigned: go on without them, and tell their owners.
    #[error("ARM refuses {} of the identities for {target}: {detail}", identities.len())]
    Identities {
        /// The resource that was to get them.
        target: String,
        /// The identities, all from the request.
        identities: Vec<IdentityResourceId>,
        /// ARM's words: missing, or no permission to assign them.
        detail: String,
    },
    /// ARM refuses the request without naming an identity: try with fewer, or report.
    #[error("ARM refuses the request for {target} with status {status}: {detail}")]
    Rejected {
        /// The resource.
        target: String,
        /// The HTTP status; 200 where an operation failed later.
        status: u16,
        /// ARM's words.
        detail: String,
    },
    /// The role's own identity lacks a permission on the resource: report, and try again much later.
    #[error(
        "podid's own identity may not do this to {target}: {detail}; it needs the roles \"Virtual Machine \
         Contributor\" on the nodes' resource group and \"Managed Identity Operator\" on the identities"
    )]
    Denied {
        /// The resource.
        target: String,
        /// ARM's words.
        detail: String,
    },
    /// The budget for such calls is used up: try again after this time.
    #[error("ARM is throttling requests about {target}; next one in {} s", retry_after.as_secs())]
    Throttled {
        /// The resource.
        target: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// ARM is unwell or out of reach: try again later.
    #[error("ARM is in trouble: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The operation had not ended when the time was up: finish it later.
    #[error("ARM is still at it: {target}")]
    StillRunning {
        /// The resource.
        target: String,
        /// What to finish.
        operation: Operation,
    },
    /// The role gets no token for ARM.
    #[error(transparent)]
    Login(#[from] Failure<credential::Error>),
}

// === impl Error ===

impl Error {
    /// How long to wait before the next attempt, where the other side says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Login(Failure::Source { retry_after, .. }) => {
                Some(*retry_after)
            }
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// By which code people know it. Of what ARM says about an identity, its own code tells what is wrong with it.
    pub fn obstacle(&self) -> Obstacle {
        match self {
            Self::NotFound { .. } => Obstacle::MachineMissing,
            Self::Identities { detail, .. } | Self::Rejected { detail, .. } | Self::Denied { detail, .. }
                if detail.starts_with("LinkedAuthorizationFailed") =>
            {
                Obstacle::NoOperatorRole
            }
            Self::Identities { detail, .. } if detail.starts_with("FailedIdentityOperation") => {
                Obstacle::IdentityDeleted
            }
            Self::Identities { .. } | Self::Rejected { .. } => Obstacle::IdentityRefused,
            Self::Denied { .. } => Obstacle::NoMachineRole,
            Self::Conflict { .. }
            | Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::StillRunning { .. } => Obstacle::ArmTrouble,
            Self::Login(_) => Obstacle::MicNoLogin,
        }
    }

    pub(super) fn malformed(about: &str) -> Self {
        Self::Unavailable { reason: format!("the answer about {about} makes no sense"), retry_after: None }
    }
}
