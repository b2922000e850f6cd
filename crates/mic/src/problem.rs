//! What went wrong, in a code and in a sentence?

use std::fmt;

use podid_azure::arm;
use podid_core::assign::Refusal;
use podid_core::code::{Code, Obstacle};
use podid_core::target::NoTarget;
use podid_kube::call::CallError;

/// Something that somebody should be told. It reads as its sentence with the code behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// By which code people know it.
    pub(crate) code: Code,
    /// What happened, to which object, and what to do next.
    pub(crate) text: String,
}

// === impl Problem ===

impl Problem {
    pub(crate) fn new(code: impl Into<Code>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }

    /// The API server did not take a write; `otherwise` is what that means where it is not a right that is missing.
    pub(crate) fn unwritten(error: &CallError, otherwise: Obstacle) -> Self {
        let code = match error {
            CallError::Forbidden { .. } => Obstacle::MicForbidden,
            CallError::Unavailable { .. }
            | CallError::Conflict { .. }
            | CallError::Absent { .. }
            | CallError::Unknown { .. }
            | CallError::Refused { .. } => otherwise,
        };
        Self::new(code, error.to_string())
    }

    /// The same in other words, which `say` makes of the sentence.
    pub(crate) fn worded(self, say: impl FnOnce(&str) -> String) -> Self {
        Self { text: say(&self.text), ..self }
    }
}

// === impl Display ===

impl fmt::Display for Problem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.code.mark(&self.text))
    }
}

// === impl From ===

impl From<&arm::Error> for Problem {
    fn from(error: &arm::Error) -> Self {
        Self::new(error.obstacle(), error.to_string())
    }
}

impl From<&NoTarget> for Problem {
    fn from(reason: &NoTarget) -> Self {
        let code = match reason {
            NoTarget::Empty => Obstacle::NoProviderId,
            NoTarget::NotAzure(_) => Obstacle::NodeNotAzure,
        };
        Self::new(code, reason.to_string())
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let code = match refusal {
            Refusal::Deleting => Obstacle::MachineMissing,
            Refusal::Kind(_) => Obstacle::ArmTrouble,
        };
        Self::new(code, refusal.to_string())
    }
}
