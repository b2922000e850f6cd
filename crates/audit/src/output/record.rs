//! How do programs read a record? PSRule's names, less those that say nothing here (`time`, `runId`).

use serde_json::{Map, Value, json};

use crate::record::Record;
use crate::report::Report;
use crate::rule::About;
use crate::target::Source;

/// Every record that was kept.
pub(crate) fn all(report: &Report) -> Value {
    Value::Array(report.records.iter().map(one).collect())
}

fn one(record: &Record) -> Value {
    let Record { rule, level, subject, outcome, reason, findings, error } = record;
    let mut value = Map::new();
    let mut put = |name: &str, what: Value| value.insert(name.to_owned(), what);
    put("ruleName", json!(rule.name));
    put("ref", json!(rule.reference));
    put("level", json!(level.as_str()));
    put("outcome", json!(outcome.as_str()));
    put("outcomeReason", json!(reason.as_str()));
    if !findings.is_empty() {
        put("reason", findings.iter().map(ToString::to_string).collect());
    }
    put("targetName", json!(subject.name));
    put("targetType", json!(subject.kind));
    if !subject.fields.is_empty() {
        put("field", json!(subject.fields));
    }
    put("tag", tags(rule));
    put("info", info(rule));
    if let Some(error) = error {
        put("error", json!({ "message": error }));
    }
    if !subject.sources.is_empty() {
        put("source", subject.sources.iter().map(source).collect());
    }
    if !findings.is_empty() {
        let reasons = findings
            .iter()
            .map(|finding| json!({ "path": finding.path, "message": finding.text }))
            .collect::<Vec<_>>();
        put("detail", json!({ "reason": reasons }));
    }
    Value::Object(value)
}

fn tags(rule: &About) -> Value {
    let mut tags: Map<_, _> =
        rule.tags.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    tags.insert("release".to_owned(), json!(rule.release.as_str()));
    tags.insert("ruleSet".to_owned(), json!(rule.rule_set));
    Value::Object(tags)
}

fn info(rule: &About) -> Value {
    json!({
        "name": rule.name,
        "displayName": rule.title,
        "synopsis": rule.synopsis,
        "recommendation": rule.recommendation,
        "links": [rule.link],
    })
}

fn source(source: &Source) -> Value {
    json!({ "file": source.file, "line": source.line, "position": source.position, "type": source.kind })
}
