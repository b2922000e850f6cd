//! Which rules are asked, at which level, and where does a failure not matter?

mod baseline;
mod condition;
mod files;

use std::collections::BTreeMap;

use crate::rule::{About, Level};
use crate::target::Target;

pub use baseline::Baseline;
use condition::Condition;

/// Something in a selection that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No baseline has this name.
    #[error(
        "there is no baseline {0:?}: name Podid.Default, Podid.All, Azure.Default, Azure.Preview, Azure.All, \
         or a dated one such as Azure.GA_2024_06 or Azure.Preview_2021_12"
    )]
    Baseline(String),
    /// No rule has this name or reference.
    #[error("there is no rule {0:?}: `podid audit --rules` lists them")]
    Rule(String),
    /// A file says something that cannot be understood: its name, and what.
    #[error("{0}: {1}")]
    File(String, String),
    /// A suppression is not `RULE=TARGET`.
    #[error("{0:?} does not say what to suppress: write RULE=TARGET, such as Azure.AKS.PodIdentity=aks-01")]
    Suppression(String),
}

/// A failure of `rule` for the target with this name does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// The rule's name or reference.
    pub rule: String,
    /// The target's name.
    pub target: String,
}

/// A failure of these rules, or of any if none is named, does not matter where the condition holds.
#[derive(Debug)]
pub struct Group {
    rules: Vec<String>,
    types: Vec<String>,
    condition: Option<Condition>,
}

/// Which rules are asked, at which level, and where a failure does not matter.
#[derive(Debug, Default)]
pub struct Selection {
    /// Which rules there are to choose from.
    pub baseline: Baseline,
    /// Only these of them; all if empty. A rule that is named is asked whatever the baseline says.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
    /// Other levels than the rules' own, by name.
    pub levels: BTreeMap<String, Level>,
    /// Where a failure does not matter.
    pub suppressions: Vec<Suppression>,
    /// PSRule's suppression groups.
    pub groups: Vec<Group>,
    /// What the user should know, such as a group that has expired.
    pub notes: Vec<String>,
}

// === impl Suppression ===

impl Suppression {
    /// From `RULE=TARGET`.
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        match text.split_once('=') {
            Some((rule, target)) if !rule.is_empty() && !target.is_empty() => {
                Ok(Self { rule: rule.to_owned(), target: target.to_owned() })
            }
            _ => Err(SelectionError::Suppression(text.to_owned())),
        }
    }
}

// === impl Group ===

impl Group {
    fn holds(&self, rule: &About, target: &Target) -> bool {
        let kind = |known: &String| known.eq_ignore_ascii_case(target.kind());
        (self.rules.is_empty() || self.rules.iter().any(|name| rule.is(name)))
            && (self.types.is_empty() || self.types.iter().any(kind))
            && self.condition.as_ref().is_none_or(|condition| condition.holds(target))
    }
}

// === impl Selection ===

impl Selection {
    /// Fails if it names a rule that nobody `knows`.
    pub fn check(&self, known: &[&About]) -> Result<(), SelectionError> {
        let suppressed = self.suppressions.iter().map(|suppression| &suppression.rule);
        let grouped = self.groups.iter().flat_map(|group| &group.rules);
        let named = self.include.iter().chain(&self.exclude).chain(self.levels.keys());
        let mut named = named.chain(suppressed).chain(grouped);
        match named.find(|name| !known.iter().any(|rule| rule.is(name))) {
            Some(name) => Err(SelectionError::Rule(name.clone())),
            None => Ok(()),
        }
    }

    /// Whether the rule is asked at all.
    pub fn wants(&self, rule: &About) -> bool {
        let named = |names: &[String]| names.iter().any(|name| rule.is(name));
        if named(&self.exclude) {
            return false;
        }
        if self.include.is_empty() { self.baseline.has(rule) } else { named(&self.include) }
    }

    /// Its level in this run.
    pub fn level(&self, rule: &About) -> Level {
        self.levels.iter().find(|(name, _)| rule.is(name)).map_or(rule.level, |(_, level)| *level)
    }

    /// Whether its failure for this target does not matter.
    pub fn suppresses(&self, rule: &About, target: &Target) -> bool {
        self.suppressions.iter().any(|suppression| {
            rule.is(&suppression.rule) && suppression.target.eq_ignore_ascii_case(target.name())
        }) || self.groups.iter().any(|group| group.holds(rule, target))
    }
}

#[cfg(test)]
mod tests;
