//! What do the files say that choose rules: baselines and suppressions as PSRule writes them?

use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::condition::Condition;
use super::{Group, Selection, SelectionError, Suppression};
use crate::rule::Level;

/// A document in such a file: a resource of PSRule, or its options (`ps-rule.yaml`).
#[derive(Debug, Deserialize)]
struct Document {
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    // Options, where there is no kind.
    #[serde(default)]
    rule: Rules,
    #[serde(default)]
    suppression: Map<String, Value>,
    #[serde(default)]
    r#override: Override,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
struct Spec {
    /// Of a baseline an object, of a group a list.
    #[serde(default)]
    rule: Value,
    #[serde(default)]
    r#override: Override,
    r#type: Option<Vec<String>>,
    r#if: Option<Value>,
    #[serde(rename = "expiresOn")]
    expires_on: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Rules {
    #[serde(default)]
    include: OneOrMore,
    #[serde(default)]
    exclude: OneOrMore,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    #[default]
    None,
    One(String),
    More(Vec<String>),
}

#[derive(Debug, Default, Deserialize)]
struct Override {
    #[serde(default)]
    level: Map<String, Value>,
}

// === impl OneOrMore ===

impl OneOrMore {
    fn names(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(name) => vec![name],
            Self::More(names) => names,
        }
    }
}

// === impl Selection ===

impl Selection {
    /// Takes over the text of a file: baselines, suppression groups and options, in YAML or JSON, one or
    /// several. Groups that expired before `now` stop suppressing.
    pub fn read(&mut self, file: &Path, text: &str, now: Timestamp) -> Result<(), SelectionError> {
        let wrong = |why: String| SelectionError::File(file.display().to_string(), why);
        let documents = documents(text).map_err(&wrong)?;
        if documents.is_empty() {
            return Err(wrong("it is empty".to_owned()));
        }
        documents.into_iter().try_for_each(|document| self.take(document, now).map_err(&wrong))
    }

    fn take(&mut self, document: Document, now: Timestamp) -> Result<(), String> {
        match document.kind.as_deref() {
            Some("Baseline") => {
                let rules: Rules = if document.spec.rule.is_null() {
                    Rules::default()
                } else {
                    serde_json::from_value(document.spec.rule)
                        .map_err(|error| format!("the baseline {:?}: {error}", document.metadata.name))?
                };
                self.rules(rules, document.spec.r#override)
            }
            Some("SuppressionGroup") => self.group(&document.metadata.name, document.spec, now),
            Some(kind) => {
                Err(format!("there is a {kind} in it; podid reads Baseline, SuppressionGroup and options"))
            }
            None => {
                for (rule, targets) in document.suppression {
                    // `Rule: [a, b]`, or `Rule: {targetName: [a, b]}`.
                    let targets = targets.get("targetName").cloned().unwrap_or(targets);
                    let targets: OneOrMore = serde_json::from_value(targets)
                        .map_err(|_| format!("the suppression of {rule} is no list of names"))?;
                    let all = targets.names().into_iter();
                    self.suppressions.extend(all.map(|target| Suppression { rule: rule.clone(), target }));
                }
                self.rules(document.rule, document.r#override)
            }
        }
    }

    fn rules(&mut self, rules: Rules, other: Override) -> Result<(), String> {
        self.include.extend(rules.include.names());
        self.exclude.extend(rules.exclude.names());
        for (rule, level) in other.level {
            let known = level.as_str().and_then(Level::named);
            let level = known.ok_or_else(|| format!("{level} is no level: Error, Warning or Information"))?;
            self.levels.insert(rule, level);
        }
        Ok(())
    }

    fn group(&mut self, name: &str, spec: Spec, now: Timestamp) -> Result<(), String> {
        let about = |why: String| format!("the suppression group {name:?}: {why}");
        let rules: OneOrMore = serde_json::from_value(spec.rule).map_err(|error| about(error.to_string()))?;
        let expires = spec.expires_on.map(|text| {
            text.parse::<Timestamp>()
                .map_err(|_| about(format!("{text:?} is no time such as 2030-01-01T00:00:00Z")))
        });
        let expires = expires.transpose()?;
        let condition = spec.r#if.filter(|condition| !condition.is_null());
        let condition = condition.map(|condition| Condition::read(&condition).map_err(&about)).transpose()?;
        if expires.is_some_and(|expires| expires <= now) {
            self.notes.push(format!("the suppression group {name:?} has expired and suppresses nothing"));
            return Ok(());
        }
        let types = spec.r#type.unwrap_or_default();
        self.groups.push(Group { rules: rules.names(), types, condition });
        Ok(())
    }
}

/// The documents of a file: of YAML each, of JSON the object or those of the list.
fn documents(text: &str) -> Result<Vec<Document>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['[', '{']) {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        let read = values.into_iter().map(serde_json::from_value);
        return read.collect::<Result<_, _>>().map_err(|error| error.to_string());
    }
    serde_saphyr::from_multiple(text).map_err(|error| format!("it is not YAML as wanted: {error}"))
}
