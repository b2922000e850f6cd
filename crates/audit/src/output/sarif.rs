//! How is a report written for code scanning? SARIF 2.1.0.

use std::collections::BTreeMap;

use percent_encoding::AsciiSet;
use serde_json::{Map, Value, json};

use crate::record::{Outcome, Record};
use crate::report::Report;
use crate::rule::{About, Level};
use crate::target::Source;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The folder that paths of files begin at.
const ROOT: &str = "REPO_ROOT";

/// What may not stand in a path as it is.
const ESCAPED: &AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'+')
    .remove(b'@');

/// The report as a log of one run.
pub(crate) fn value(report: &Report) -> Value {
    let mut rules: BTreeMap<&str, &Record> = BTreeMap::new();
    for record in &report.records {
        rules.entry(record.rule.reference).or_insert(record);
    }
    let results: Vec<Value> = report.records.iter().map(result).collect();
    let unread = report.unread.iter().map(|unread| {
        json!({ "level": "error", "message": { "text": format!("{}: {}", unread.what, unread.why) } })
    });
    let mut invocation = json!({
        "executionSuccessful": report.is_complete(),
        "toolExecutionNotifications": unread.collect::<Vec<_>>(),
    });
    let overrides: Vec<Value> = rules.values().filter_map(|record| overridden(record)).collect();
    if !overrides.is_empty() {
        invocation["ruleConfigurationOverrides"] = json!(overrides);
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "podid",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.values().map(|record| descriptor(record.rule)).collect::<Vec<_>>(),
            } },
            "invocations": [invocation],
            "originalUriBaseIds": {
                ROOT: { "description": { "text": "The folder in which the audit ran." } },
            },
            "results": results,
        }],
    })
}

fn descriptor(rule: &About) -> Value {
    json!({
        "id": rule.reference,
        "name": rule.name,
        "shortDescription": { "text": rule.synopsis },
        "fullDescription": { "text": rule.title },
        "help": { "text": rule.recommendation, "markdown": rule.page },
        "helpUri": rule.link,
        "messageStrings": { "recommendation": { "text": rule.recommendation } },
        "defaultConfiguration": { "enabled": true, "level": level(rule.level) },
        "properties": { "tags": rule.tags.iter().map(|(_, value)| *value).collect::<Vec<_>>() },
    })
}

/// Another level than the rule's own.
fn overridden(record: &Record) -> Option<Value> {
    (record.level != record.rule.level).then(|| {
        json!({
            "descriptor": { "id": record.rule.reference },
            "configuration": { "level": level(record.level) },
        })
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Information => "note",
    }
}

fn result(record: &Record) -> Value {
    let (kind, level) = match record.outcome {
        Outcome::Pass => ("pass", "none"),
        Outcome::Fail => ("fail", level(record.level)),
        Outcome::Error => ("open", "none"),
        Outcome::None => ("notApplicable", "none"),
    };
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(record.rule.reference));
    result.insert("kind".to_owned(), json!(kind));
    result.insert("level".to_owned(), json!(level));
    result.insert("message".to_owned(), json!({ "text": message(record) }));
    result.insert("locations".to_owned(), locations(record));
    if !record.subject.fields.is_empty() {
        result.insert("properties".to_owned(), json!({ "fields": record.subject.fields }));
    }
    Value::Object(result)
}

fn message(record: &Record) -> String {
    let reasons: Vec<String> =
        record.findings.iter().map(ToString::to_string).chain(record.error.clone()).collect();
    if reasons.is_empty() {
        return record.rule.recommendation.to_owned();
    }
    format!("{} {}", reasons.join(" "), record.rule.recommendation)
}

fn locations(record: &Record) -> Value {
    let subject = &record.subject;
    let logical = json!([{
        "name": subject.name,
        "fullyQualifiedName": format!("{}/{}", subject.kind, subject.name),
        "kind": "object",
    }]);
    let places = subject
        .sources
        .iter()
        .map(|source| json!({ "physicalLocation": physical(source), "logicalLocations": logical }));
    let places: Vec<Value> = places.collect();
    if places.is_empty() { json!([{ "logicalLocations": logical }]) } else { json!(places) }
}

fn physical(source: &Source) -> Value {
    // A path from the root of the machine has no base.
    let mut artifact = json!({ "uri": uri(&source.file) });
    if !source.file.starts_with('/') {
        artifact["uriBaseId"] = json!(ROOT);
    }
    let mut region = json!({ "startLine": source.line.unwrap_or(1) });
    if let Some(column) = source.position {
        region["startColumn"] = json!(column);
    }
    json!({ "artifactLocation": artifact, "region": region })
}

/// A path as a reference.
fn uri(path: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(path, ESCAPED);
    // A colon in the first step would be taken for the end of a scheme.
    let scheme = path.split('/').next().is_some_and(|step| step.contains(':'));
    if scheme { format!("./{encoded}") } else { encoded.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_valid_reference() {
        let cases = [
            ("a/b.json", "a/b.json"),
            ("a b/ü#?.json", "a%20b/%C3%BC%23%3F.json"),
            ("c:/a.json", "./c:/a.json"),
            ("../a", "../a"),
        ];
        for (path, wanted) in cases {
            assert_eq!(uri(path), wanted);
        }
    }
}
