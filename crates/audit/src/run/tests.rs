use serde_json::json;

use super::*;
use crate::rule::{Level, Release, always};
use crate::select::Suppression;
use crate::target::Target;

const fn about(name: &'static str, reference: &'static str, needs: &'static [&'static str]) -> About {
    About {
        name,
        reference,
        level: Level::Warning,
        title: "",
        synopsis: "",
        recommendation: "",
        link: "",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &["Thing"],
        needs,
        page: "",
    }
}

/// Fails if the target says so.
static FIRST: Rule<()> = Rule {
    about: about("First", "POD-1", &[]),
    applies: always,
    check: |target, ()| match target.data["first"].as_str() {
        Some("fail") => Verdict::fail("it says so"),
        Some("unsure") => Verdict::Inconclusive,
        Some("error") => Verdict::Error("cannot look".to_owned()),
        _ => Verdict::Pass,
    },
};
static SECOND: Rule<()> =
    Rule { about: about("Second", "POD-2", &["First"]), applies: always, check: |_, ()| Verdict::Pass };
static THIRD: Rule<()> = Rule {
    about: about("Third", "POD-3", &["Second"]),
    applies: |_, ()| false,
    check: |_, ()| Verdict::Pass,
};

fn look(selection: &Selection, first: &str, kind: &str) -> (Report, String) {
    let mut report = Report::default();
    let run = Run::new([&FIRST, &SECOND, &THIRD], selection, &(), Keep::All);
    run.look(&Target::new(kind, "a", json!({ "first": first })), &mut report);
    let said = report
        .records
        .iter()
        .map(|record| format!("{}:{}:{}", record.rule.name, record.outcome.as_str(), record.reason.as_str()));
    let said = said.collect::<Vec<_>>().join(" ");
    (report, said)
}

#[test]
fn a_rule_is_not_asked_where_one_that_it_needs_failed() {
    let all = Selection::default();
    assert_eq!(
        look(&all, "", "Thing").1,
        "First:Pass:Processed Second:Pass:Processed Third:None:PreconditionFail"
    );
    let failed = "Second:None:DependencyFail Third:None:DependencyFail";
    assert_eq!(look(&all, "fail", "Thing").1, format!("First:Fail:Processed {failed}"));
    assert_eq!(look(&all, "unsure", "Thing").1, format!("First:Fail:Inconclusive {failed}"));
    assert_eq!(look(&all, "error", "Thing").1, format!("First:Error:None {failed}"));
}

#[test]
fn a_suppressed_rule_is_not_asked_and_holds_nothing_up() {
    let suppressions = vec![Suppression::parse("pod-1=A").unwrap()];
    let selection = Selection { suppressions, ..Selection::default() };
    let (report, said) = look(&selection, "fail", "Thing");
    assert_eq!(said, "First:None:Suppressed Second:Pass:Processed Third:None:PreconditionFail");
    assert_eq!(report.suppressed(), 1);
    assert!(!report.fails(Some(Level::Information)));
}

#[test]
fn a_target_of_another_type_is_not_asked_about() {
    let said = look(&Selection::default(), "fail", "Other").1;
    assert_eq!(said, "First:None:PreconditionFail Second:None:PreconditionFail Third:None:PreconditionFail");
}

#[test]
fn a_failure_counts_from_its_level_down() {
    let (report, _) = look(&Selection::default(), "fail", "Thing");
    assert!(report.fails(Some(Level::Information)) && report.fails(Some(Level::Warning)));
    assert!(!report.fails(Some(Level::Error)) && !report.fails(None));
    let levels = [("POD-1".to_owned(), Level::Error)].into();
    let selection = Selection { levels, ..Selection::default() };
    assert!(look(&selection, "fail", "Thing").0.fails(Some(Level::Error)));
}

#[test]
fn what_could_not_be_looked_at_makes_a_report_incomplete_and_no_failure() {
    let (report, _) = look(&Selection::default(), "error", "Thing");
    assert!(!report.is_complete());
    assert!(!report.fails(Some(Level::Information)));
}

#[test]
fn a_rule_that_is_named_is_asked_whatever_the_baseline_says() {
    let baseline = "Azure.Default".parse().unwrap();
    let ours = Selection { baseline, ..Selection::default() };
    assert!(!ours.wants(&FIRST.about), "ours is in none of PSRule's baselines");
    let named = Selection { include: vec!["first".to_owned()], ..ours };
    assert!(named.wants(&FIRST.about) && !named.wants(&SECOND.about));
    let excluded = Selection { exclude: vec!["POD-1".to_owned()], ..named };
    assert!(!excluded.wants(&FIRST.about));
}
