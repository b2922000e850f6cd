//! In which ways can ARM fail a command, told apart by what its user has to do?

use std::time::Duration;

use podid_core::role::{Refused, Role};

use crate::arm::call::Fault;
use crate::arm::{self, Operation};
use crate::credential;
use crate::tokens::Failure;

/// Why a call about a resource did not do what it should. Each text says what to do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such resource.
    #[error("{target} does not exist in Azure ({detail}); check name, resource group and subscription")]
    NotFound {
        /// The resource.
        target: String,
        /// ARM's words.
        detail: String,
    },
    /// Whoever runs the command lacks a right: somebody has to grant it.
    #[error(
        "you may not do {} on {}; ask somebody who may grant roles to run: {}; a new role takes effect within minutes",
        .0.action,
        .0.scope,
        Role::least(&.0.action).grant_command(.0.principal.as_deref(), &.0.scope)
    )]
    Denied(Refused),
    /// The same, where ARM does not say which right.
    #[error("you may not do this to {target}: {detail}")]
    Refused {
        /// The resource.
        target: String,
        /// ARM's words.
        detail: String,
    },
    /// Somebody else changes it at the moment, or it exists already.
    #[error("{target} was changed by somebody else, or is being changed: {detail}; try again in a moment")]
    Conflict {
        /// The resource.
        target: String,
        /// ARM's word for it, such as `RoleAssignmentExists`.
        code: String,
        /// ARM's words.
        detail: String,
    },
    /// ARM finds the request wrong.
    #[error("Azure refuses the request for {target} with status {status}: {detail}")]
    Rejected {
        /// The resource.
        target: String,
        /// The HTTP status; 200 where an operation failed later, 0 where nothing was sent.
        status: u16,
        /// ARM's word for it.
        code: String,
        /// ARM's words.
        detail: String,
    },
    /// The budget for such calls is used up.
    #[error("Azure is throttling requests about {target}; try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// The resource.
        target: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// ARM is out of reach from here.
    #[error("Azure Resource Manager cannot be reached: {0}")]
    Unreachable(crate::http::Error),
    /// ARM is unwell.
    #[error("Azure Resource Manager is in trouble: {reason}; try again later")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The operation had not ended when the time was up.
    #[error("Azure is still at work on {target}; run the command again to see how it ends")]
    StillRunning {
        /// The resource.
        target: String,
        /// What it is doing.
        operation: Operation,
    },
    /// There is no token for ARM.
    #[error("{0}")]
    Login(Failure<credential::Error>),
}

// === impl Error ===

impl Error {
    /// What the end of a call about `target` means.
    pub(super) fn of(fault: Fault, target: &str) -> Self {
        let (problem, status, retry_after) = match fault {
            Fault::Refused { status, problem, retry_after } => (problem, status, retry_after),
            Fault::Unanswered(error) => return Self::Unreachable(error),
            Fault::Login(failure) => return Self::Login(failure),
            fault => return fault.judge(target, &[]).into(),
        };
        let (target, code) = (target.to_owned(), problem.code().to_owned());
        let detail = problem.detail();
        match status {
            _ if status == 429 || problem.is_throttled_inside() => {
                let told = retry_after.or_else(|| problem.wait_in_text());
                Self::Throttled { target, retry_after: told.unwrap_or(Duration::from_secs(30)) }
            }
            401 | 403 => match Refused::parse(problem.text()) {
                Some(refused) => Self::Denied(refused),
                None => Self::Refused { target, detail },
            },
            404 => Self::NotFound { target, detail },
            408 | 500..=599 => {
                Self::Unavailable { reason: format!("status {status}, {detail}"), retry_after }
            }
            409 | 412 => Self::Conflict { target, code, detail },
            _ => Self::Rejected { target, status, code, detail },
        }
    }

    pub(super) fn malformed(about: &str) -> Self {
        let reason = format!("the answer about {about} makes no sense");
        Self::Unavailable { reason, retry_after: None }
    }

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

    /// Whether the question could not be asked, so that nothing is known of the answer.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. } | Self::Unreachable(_) | Self::Unavailable { .. } | Self::Login(_)
        )
    }
}

impl From<arm::Error> for Error {
    fn from(error: arm::Error) -> Self {
        let word = |detail: &str| detail.split(':').next().unwrap_or_default().to_owned();
        match error {
            arm::Error::NotFound { target } => Self::NotFound { target, detail: "not found".to_owned() },
            arm::Error::Conflict { target, detail } => Self::Conflict { target, code: word(&detail), detail },
            arm::Error::Identities { target, detail, .. } | arm::Error::Denied { target, detail } => {
                match Refused::parse(&detail) {
                    Some(refused) => Self::Denied(refused),
                    None => Self::Refused { target, detail },
                }
            }
            arm::Error::Rejected { target, status, detail } => {
                Self::Rejected { target, status, code: word(&detail), detail }
            }
            arm::Error::Throttled { target, retry_after } => Self::Throttled { target, retry_after },
            arm::Error::Unavailable { reason, retry_after } => Self::Unavailable { reason, retry_after },
            arm::Error::StillRunning { target, operation } => Self::StillRunning { target, operation },
            arm::Error::Login(failure) => Self::Login(failure),
        }
    }
}
