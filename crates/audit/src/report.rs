//! What came out of a whole run?

use crate::record::{Outcome, Reason, Record};
use crate::rule::Level;

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file, or what else it was.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// What came out of a run, over files, a subscription, a cluster, or all of them.
#[derive(Debug, Default)]
pub struct Report {
    /// What was asked for and kept, in the order of the targets.
    pub records: Vec<Record>,
    /// What could not be looked at.
    pub unread: Vec<Unread>,
    /// What else the user should know, such as files left aside; a line each.
    pub notes: Vec<String>,
    /// How many targets were looked at.
    pub targets: usize,
    /// How many records of each outcome there were, kept or not: none, pass, fail, error.
    counts: [usize; 4],
    suppressed: usize,
    worst: Option<Level>,
}

// === impl Report ===

impl Report {
    /// Takes a record into account, and keeps it if `keep`.
    pub fn add(&mut self, record: Record, keep: bool) {
        self.counts[record.outcome as usize] += 1;
        self.suppressed += usize::from(record.reason == Reason::Suppressed);
        if record.outcome == Outcome::Fail {
            self.worst = self.worst.max(Some(record.level));
        }
        if keep {
            self.records.push(record);
        }
    }

    /// Notes that something could not be looked at.
    pub fn cannot_read(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unread.push(Unread { what: what.into(), why: why.into() });
    }

    /// How many records had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.counts[outcome as usize]
    }

    /// How many were suppressed.
    pub fn suppressed(&self) -> usize {
        self.suppressed
    }

    /// Whether a rule failed at or above `level`; none is never.
    pub fn fails(&self, level: Option<Level>) -> bool {
        level.is_some_and(|level| self.worst >= Some(level))
    }

    /// Whether everything could be looked at.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.count(Outcome::Error) == 0
    }
}
