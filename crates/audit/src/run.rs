//! What do the rules say about the targets, one after the other?

use std::sync::Arc;

use crate::record::{Outcome, Reason, Record};
use crate::report::Report;
use crate::rule::{About, Rule};
use crate::select::Selection;
use crate::target::Target;
use crate::verdict::Verdict;

/// Which records are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Keep {
    /// Those that somebody has to do something about
    Problem,
    /// Those whose rule was asked
    #[default]
    Processed,
    /// All, also where a rule was not asked
    All,
}

/// The rules of one scene, ready to be asked about its targets.
#[derive(Debug)]
pub struct Run<'a, S: ?Sized + 'static> {
    rules: Vec<&'static Rule<S>>,
    selection: &'a Selection,
    scene: &'a S,
    keep: Keep,
}

// === impl Keep ===

impl Keep {
    fn keeps(self, outcome: Outcome) -> bool {
        match self {
            Self::Problem => outcome.is_problem(),
            Self::Processed => outcome.is_processed(),
            Self::All => true,
        }
    }
}

// === impl Run ===

impl<'a, S: ?Sized + 'static> Run<'a, S> {
    /// Those of `rules` that are selected, in `scene`.
    pub fn new(
        rules: impl IntoIterator<Item = &'static Rule<S>>,
        selection: &'a Selection,
        scene: &'a S,
        keep: Keep,
    ) -> Self {
        let rules = rules.into_iter().filter(|rule| selection.wants(&rule.about)).collect();
        Self { rules, selection, scene, keep }
    }

    /// Whether any rule asks targets of this type, so that others need not be made.
    pub fn asks(&self, kind: &str) -> bool {
        self.keep == Keep::All || self.rules.iter().any(|rule| rule.about.asks(kind))
    }

    /// Asks every rule about `target`.
    pub fn look(&self, target: &Target, report: &mut Report) {
        report.targets += 1;
        let mut failed: Vec<&About> = Vec::new();
        for rule in &self.rules {
            let record = self.ask(rule, target, &failed);
            if record.outcome.is_problem() || record.reason == Reason::DependencyFail {
                failed.push(&rule.about);
            }
            let keep = self.keep.keeps(record.outcome);
            report.add(record, keep);
        }
    }

    /// In PSRule's order: what it needs, what is suppressed, what it is about, what it says.
    fn ask(&self, rule: &'static Rule<S>, target: &Target, failed: &[&About]) -> Record {
        let about = &rule.about;
        let unmet = |need: &&str| failed.iter().any(|failed| failed.is(need));
        let unasked = |reason| (Outcome::None, reason, Vec::new(), None);
        let (outcome, reason, findings, error) = if about.needs.iter().any(unmet) {
            unasked(Reason::DependencyFail)
        } else if self.selection.suppresses(about, target) {
            unasked(Reason::Suppressed)
        } else if !about.asks(target.kind()) || !(rule.applies)(target, self.scene) {
            unasked(Reason::PreconditionFail)
        } else {
            match (rule.check)(target, self.scene) {
                Verdict::Pass => (Outcome::Pass, Reason::Processed, Vec::new(), None),
                Verdict::Fail(findings) => (Outcome::Fail, Reason::Processed, findings, None),
                Verdict::Inconclusive => (Outcome::Fail, Reason::Inconclusive, Vec::new(), None),
                Verdict::Error(error) => (Outcome::Error, Reason::None, Vec::new(), Some(error)),
            }
        };
        let level = self.selection.level(about);
        Record { rule: about, level, subject: Arc::clone(&target.subject), outcome, reason, findings, error }
    }
}

#[cfg(test)]
mod tests;
