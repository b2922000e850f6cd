//! Do dashboard and alerts name only metrics, labels and label values that exist?
#![allow(clippy::unwrap_used, clippy::panic, reason = "this serves tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use podid_monitor::alert::GROUPS;
use podid_monitor::dashboard::ROWS;

use crate::page::{Exposed, exposed};

/// Labels that Prometheus adds.
const ADDED: [&str; 6] = ["instance", "job", "le", "namespace", "pod", "node"];

/// Labels whose values somebody else chooses, so that the sample has only some.
const OPEN: [&str; 6] = ["namespace", "resource", "status_code", "code", "version", "operation_type"];

/// Words of PromQL that look like names.
const WORDS: [&str; 19] = [
    "sum",
    "min",
    "max",
    "count",
    "by",
    "on",
    "and",
    "or",
    "unless",
    "without",
    "rate",
    "increase",
    "absent",
    "histogram_quantile",
    "max_over_time",
    "ignoring",
    "group_left",
    "__rate_interval",
    "s",
];

/// What both roles expose.
fn everything() -> BTreeMap<String, Exposed> {
    let mut all = exposed(&podid_nmi::metrics::sample());
    for (name, metric) in exposed(&podid_mic::metrics::sample()) {
        let known =
            all.entry(name).or_insert_with(|| Exposed { kind: metric.kind.clone(), ..Exposed::default() });
        for (label, values) in metric.labels {
            match known.labels.iter_mut().find(|(known, _)| *known == label) {
                Some((_, known)) => known.extend(values),
                None => known.labels.push((label, values)),
            }
        }
    }
    all
}

/// What is wrong with an expression.
fn problems(expression: &str, all: &BTreeMap<String, Exposed>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut labels: BTreeSet<&str> = ADDED.into();
    // Names stand outside of quotes; the matchers of a metric follow it.
    let mut rest = expression;
    let mut named = BTreeSet::new();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        if let Some(quote) = rest.find('"').filter(|quote| *quote < start) {
            rest = rest[quote + 1..].split_once('"').map_or("", |(_, rest)| rest);
            continue;
        }
        // A number such as 5m is no name.
        let digit = rest[..start].chars().next_back().is_some_and(|c| c.is_ascii_digit());
        let word_end = rest[start..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(rest.len(), |end| start + end);
        let word = &rest[start..word_end];
        rest = &rest[word_end..];
        if digit || WORDS.contains(&word) {
            continue;
        }
        match metric(word, all) {
            Some(metric) => {
                labels.extend(metric.labels.iter().map(|(label, _)| label.as_str()));
                if let Some(matchers) = rest.strip_prefix('{') {
                    let (matchers, after) = matchers.split_once('}').unwrap();
                    problems.extend(wrong_matchers(word, metric, matchers));
                    rest = after;
                }
            }
            None => drop(named.insert(word)),
        }
    }
    problems.extend(
        named
            .into_iter()
            .filter(|word| !labels.contains(word))
            .map(|word| format!("{word} is neither a metric nor a label of one")),
    );
    problems
}

/// The metric that has the series `name`.
fn metric<'a>(name: &str, all: &'a BTreeMap<String, Exposed>) -> Option<&'a Exposed> {
    let histogram = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let of_histogram = histogram.and_then(|name| all.get(name)).filter(|metric| metric.kind == "histogram");
    of_histogram.or_else(|| all.get(name).filter(|metric| metric.kind != "histogram"))
}

fn wrong_matchers(name: &str, metric: &Exposed, matchers: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for matcher in matchers.split("\",") {
        let (label, value) = matcher.split_once(['=', '!']).unwrap();
        let value = value.trim_start_matches(['=', '~', '"']).trim_end_matches('"');
        if ADDED.contains(&label) {
            continue;
        }
        match metric.labels.iter().find(|(known, _)| known == label) {
            None => problems.push(format!("{name} has no label {label}")),
            Some(_) if OPEN.contains(&label) => {}
            Some((_, values)) => {
                let unknown = value.split('|').filter(|value| !values.contains(*value));
                problems.extend(unknown.map(|value| format!("{label} of {name} is never {value:?}")));
            }
        }
    }
    problems
}

#[test]
fn every_alert_and_its_scenes_name_only_what_exists() {
    let all = everything();
    for alert in GROUPS.iter().flat_map(|group| group.alerts) {
        assert_eq!(problems(alert.expression, &all), [""; 0], "{}: {}", alert.name, alert.expression);
        for (series, _) in alert.fires.series.iter().chain(alert.silent.series) {
            assert_eq!(problems(series, &all), [""; 0], "{}: {series}", alert.name);
        }
    }
}

#[test]
fn every_panel_names_only_what_exists() {
    let all = everything();
    for panel in ROWS.iter().flat_map(|row| row.panels) {
        for (expression, legend) in panel.queries {
            assert_eq!(problems(expression, &all), [""; 0], "{}: {expression}", panel.title);
            for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
                assert!(expression.contains(label), "{}: {label} is not in {expression}", panel.title);
            }
        }
    }
}

#[test]
fn every_metric_of_ours_is_on_the_dashboard_or_in_an_alert_or_known_to_be_for_the_curious() {
    let panels =
        ROWS.iter().flat_map(|row| row.panels).flat_map(|panel| panel.queries).map(|(query, _)| *query);
    let alerts = GROUPS.iter().flat_map(|group| group.alerts).map(|alert| alert.expression);
    let used: String = panels.chain(alerts).collect::<Vec<_>>().join("\n");
    let curious = [
        "podid_mic_drift_repaired_total",
        "podid_mic_patched_identities_total",
        "podid_mic_ready",
        "podid_nmi_upstream_errors_total",
    ];
    let all = everything();
    let unused: Vec<_> =
        all.keys().filter(|name| name.starts_with("podid_") && !used.contains(*name)).collect();
    assert_eq!(unused, curious);
}

#[test]
fn what_does_not_exist_is_found() {
    let all = everything();
    let found = |expression: &str| problems(expression, &all);
    assert_eq!(
        found("rate(podid_no_such_total[5m])"),
        ["podid_no_such_total is neither a metric nor a label of one"]
    );
    assert_eq!(found("sum by (pods) (podid_nmi_ready)"), ["pods is neither a metric nor a label of one"]);
    let refusals = "podid_nmi_refusals_total";
    assert_eq!(found(&format!("{refusals}{{cause=\"x\"}}")), [format!("{refusals} has no label cause")]);
    let wrong = format!("{refusals}{{reason=~\"no-binding|typo\",instance=\"i\"}}");
    assert_eq!(found(&wrong), [format!("reason of {refusals} is never \"typo\"")]);
    assert_eq!(
        found("podid_nmi_hold_duration_seconds").len(),
        1,
        "a histogram has no series of its own name"
    );
}

#[test]
fn the_page_has_a_heading_for_each_alert_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/watch.md");
    let page = std::fs::read_to_string(path).unwrap();
    let said: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("### Podid")).collect();
    let alerts = GROUPS.iter().flat_map(|group| group.alerts);
    let real: BTreeSet<&str> =
        alerts.clone().map(|alert| alert.name.strip_prefix("Podid").unwrap()).collect();
    assert_eq!(said, real);
    for alert in alerts {
        assert!(alert.runbook().ends_with(&format!("/docs/how-to/watch.md#{}", alert.name.to_lowercase())));
    }
}
