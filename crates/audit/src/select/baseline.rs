//! Which rules does a baseline have?

use std::str::FromStr;

use crate::rule::{About, Release};
use crate::select::SelectionError;

/// A set of rules with a name. Those called `Azure.…` have the rules that PSRule for Azure's baseline of
/// that name has, as far as podid knows them; those called `Podid.…` have ours, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Whether our own rules are in it.
    ours: bool,
    /// The releases that are in it.
    releases: &'static [Release],
    /// The newest rule set that is in it; none for all.
    until: Option<String>,
}

/// The first rule set.
const FIRST: &str = "2020_06";

const GA: &[Release] = &[Release::Ga];
const PREVIEW: &[Release] = &[Release::Preview];
const BOTH: &[Release] = &[Release::Ga, Release::Preview];

// === impl Baseline ===

impl Default for Baseline {
    /// `Podid.Default`.
    fn default() -> Self {
        Self { ours: true, releases: GA, until: None }
    }
}

impl Baseline {
    /// Whether the rule is in it.
    pub fn has(&self, rule: &About) -> bool {
        (self.ours || !rule.is_ours())
            && self.releases.contains(&rule.release)
            && self.until.as_deref().is_none_or(|until| rule.rule_set <= until)
    }
}

impl FromStr for Baseline {
    type Err = SelectionError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = |ours, releases, until| Ok(Self { ours, releases, until });
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "podid.default" => return known(true, GA, None),
            "podid.all" => return known(true, BOTH, None),
            "azure.default" => return known(false, GA, None),
            "azure.preview" | "azure.all" => return known(false, BOTH, None),
            _ => {}
        }
        let dated = [("azure.ga_", GA), ("azure.preview_", PREVIEW)]
            .into_iter()
            .find_map(|(prefix, releases)| Some((lower.strip_prefix(prefix)?, releases)));
        match dated {
            Some((date, releases)) if is_quarter(date) => known(false, releases, Some(date.to_owned())),
            _ => Err(SelectionError::Baseline(name.to_owned())),
        }
    }
}

/// Whether it is a date of a rule set: `YYYY_MM`, four times a year, from the first.
fn is_quarter(date: &str) -> bool {
    let year = |year: &str| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    date.split_once('_')
        .is_some_and(|(first, month)| year(first) && ["03", "06", "09", "12"].contains(&month))
        && date >= FIRST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_baselines_that_psrule_could_have_are_known() {
        for name in ["Azure.GA_2020_06", "azure.preview_2025_12", "AZURE.DEFAULT", "Podid.All"] {
            assert!(name.parse::<Baseline>().is_ok(), "{name}");
        }
        for name in ["", "Azure", "Azure.GA", "Azure.GA_2020_03", "Azure.GA_2021_07", "Azure.GA_21_06", "x"] {
            assert_eq!(name.parse::<Baseline>(), Err(SelectionError::Baseline(name.to_owned())));
        }
    }
}
