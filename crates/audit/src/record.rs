//! What came out when a rule met a target?

use std::sync::Arc;

use crate::rule::{About, Level};
use crate::target::Subject;
use crate::verdict::Finding;

/// What came out, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The rule was not asked.
    None,
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// The rule could not look.
    Error,
}

/// Why that came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The rule could not look.
    None,
    /// The rule was asked and answered.
    Processed,
    /// The rule is not about such a target.
    PreconditionFail,
    /// A rule that this one needs did not pass.
    DependencyFail,
    /// The rule was asked and gave no answer.
    Inconclusive,
    /// Somebody said that it does not matter here.
    Suppressed,
}

/// What came out when a rule met a target.
#[derive(Clone, Debug)]
pub struct Record {
    /// The rule.
    pub rule: &'static About,
    /// Its level in this run: a baseline may set another.
    pub level: Level,
    /// The target.
    pub subject: Arc<Subject>,
    /// What came out.
    pub outcome: Outcome,
    /// Why that.
    pub reason: Reason,
    /// What is wrong, if it failed.
    pub findings: Vec<Finding>,
    /// Why the rule could not look.
    pub error: Option<String>,
}

// === impl Outcome ===

impl Outcome {
    /// As PSRule writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::Error => "Error",
        }
    }

    /// Whether the rule was asked.
    pub fn is_processed(self) -> bool {
        self != Self::None
    }

    /// Whether somebody has to do something.
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Fail | Self::Error)
    }
}

// === impl Reason ===

impl Reason {
    /// As PSRule writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Processed => "Processed",
            Self::PreconditionFail => "PreconditionFail",
            Self::DependencyFail => "DependencyFail",
            Self::Inconclusive => "Inconclusive",
            Self::Suppressed => "Suppressed",
        }
    }
}
