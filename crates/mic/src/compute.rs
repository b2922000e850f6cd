//! How do workers read and write the identities of a VM or scale set?
//!
//! [`Compute`] is the seam between the controller and ARM: tests play ARM behind it, also a slow and
//! a refusing one.

use std::future::Future;
use std::time::Duration;

use podid_azure::arm::{self, Arm, BudgetLeft, Reading};
use podid_core::assign::{Identities, Patch};
use podid_core::code::Obstacle;
use podid_core::ids::ComputeId;

use crate::problem::Problem;

/// Reads and writes identities. Every call ends by itself: the implementation has deadlines.
pub(crate) trait Compute: Send + Sync + 'static {
    /// What is on `target`.
    fn read(&self, target: &ComputeId) -> impl Future<Output = Result<Reading, Fault>> + Send;

    /// Sends `patch` to `target` and waits until it is in effect; with `etag`, only if nobody wrote
    /// since the reading that gave it.
    fn patch(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// What is left of the budgets of requests.
    fn budgets(&self) -> [BudgetLeft; 5];
}

/// Why a call failed; one variant per reaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The VM or scale set does not exist: nothing is on it.
    #[error("it does not exist")]
    Missing,
    /// Single identities of a PATCH were refused: set them aside and go on with the others.
    #[error("{problem}")]
    Identities {
        /// Those that the answer names; none if it names nobody.
        named: Identities,
        /// ARM's words.
        problem: Problem,
    },
    /// Try the same again, after a while.
    #[error("{problem}")]
    Later {
        /// How long ARM asked to be left alone.
        after: Option<Duration>,
        /// What happened.
        problem: Problem,
    },
    /// Somebody has to change something first: a right, a credential.
    #[error("{problem}")]
    Refused {
        /// What happened and what to change.
        problem: Problem,
    },
}

// === impl Fault ===

impl Fault {
    /// What people are told of it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Missing => Problem::new(Obstacle::MachineMissing, self.to_string()),
            Self::Identities { problem, .. } | Self::Later { problem, .. } | Self::Refused { problem } => {
                problem.clone()
            }
        }
    }
}

// === impl Arm ===

impl Compute for Arm {
    async fn read(&self, target: &ComputeId) -> Result<Reading, Fault> {
        self.identities(target).await.map_err(|error| match error {
            // There is no identity in a GET that could be at fault.
            arm::Error::Rejected { .. } => {
                Fault::Refused { problem: Problem::new(Obstacle::ArmTrouble, error.to_string()) }
            }
            error => Fault::from(error),
        })
    }

    async fn patch(&self, target: &ComputeId, patch: &Patch, etag: Option<&str>) -> Result<(), Fault> {
        Ok(self.apply(target, patch, etag).await?)
    }

    fn budgets(&self) -> [BudgetLeft; 5] {
        self.budgets_left()
    }
}

impl From<arm::Error> for Fault {
    fn from(error: arm::Error) -> Self {
        let (problem, after) = (Problem::from(&error), error.retry_after());
        match error {
            arm::Error::NotFound { .. } => Self::Missing,
            arm::Error::Identities { identities, .. } => {
                Self::Identities { named: identities.into_iter().collect(), problem }
            }
            arm::Error::Rejected { .. } => Self::Identities { named: Identities::new(), problem },
            arm::Error::Denied { .. } => Self::Refused { problem },
            arm::Error::Conflict { .. }
            | arm::Error::Throttled { .. }
            | arm::Error::Unavailable { .. }
            | arm::Error::StillRunning { .. }
            | arm::Error::Login(_) => Self::Later { after, problem },
        }
    }
}
