use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::report::Report;
use crate::run::{Keep, Run};
use crate::select::Selection;
use crate::target::Target;

/// What comes out when a rule of Azure meets such a target: outcome, reason and findings.
pub(crate) fn outcome(rule: &'static Rule<Settings>, kind: &str, data: Value) -> String {
    let selection = Selection { include: vec![rule.about.name.to_owned()], ..Selection::default() };
    let (settings, mut report) = (Settings::default(), Report::default());
    let run = Run::new([rule], &selection, &settings, Keep::All);
    run.look(&Target::new(kind, "aks-01", data), &mut report);
    let record = &report.records[0];
    let findings: Vec<_> = record.findings.iter().map(ToString::to_string).collect();
    format!("{} {} {}", record.outcome.as_str(), record.reason.as_str(), findings.join(" | "))
        .trim_end()
        .to_owned()
}

#[test]
fn no_two_rules_share_a_name_or_a_reference() {
    let names: BTreeSet<_> = all().flat_map(|rule| [rule.name, rule.reference]).collect();
    assert_eq!(names.len(), 2 * all().count());
}

#[test]
fn the_page_of_a_rule_says_what_the_rule_says() {
    for rule in all() {
        let page: String = rule.page.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [rule.name, rule.reference, rule.title, rule.synopsis, rule.recommendation] {
            assert!(page.contains(text), "the page of {} does not say {text:?}", rule.name);
        }
        assert!(rule.page.starts_with(&format!("# {}\n", rule.name)), "{}", rule.name);
    }
}

#[test]
fn a_rule_needs_only_rules_before_it() {
    let mut before: Vec<&About> = Vec::new();
    for rule in all() {
        for need in rule.needs {
            assert!(before.iter().any(|known| known.is(need)), "{} needs {need}", rule.name);
        }
        before.push(rule);
    }
}
