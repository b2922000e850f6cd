//! Are all values explained, in values.yaml and in the docs, and are all of them known to the schema?

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::helm::chart;

/// Objects whose keys are Kubernetes' and not ours.
const WHOLE: [&str; 1] = ["nmi.updateStrategy"];

fn read(path: &str) -> String {
    let file = chart().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn schema() -> Value {
    serde_json::from_str(&read("values.schema.json")).unwrap()
}

/// Every value that can be set, with its default.
fn defaults() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect("", &serde_saphyr::from_str(&read("values.yaml")).unwrap(), &schema(), &mut found);
    found
}

fn collect(path: &str, value: &Value, schema: &Value, found: &mut BTreeMap<String, Value>) {
    let group = value.as_object().filter(|fields| !fields.is_empty());
    match (group, schema.get("properties")) {
        (Some(fields), Some(properties)) if !WHOLE.contains(&path) => {
            for (key, value) in fields {
                collect(&join(path, key), value, &properties[key], found);
            }
        }
        _ => assert!(found.insert(path.to_owned(), value.clone()).is_none()),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The comment above each key of values.yaml, in one line.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut open, mut said) = (BTreeMap::new(), Vec::<String>::new(), Vec::new());
    for line in read("values.yaml").lines() {
        let text = line.trim_start();
        if text.is_empty() {
            said.clear();
        } else if let Some(comment) = text.strip_prefix('#') {
            said.push(comment.trim().to_owned());
        } else if let Some((key, _)) = text.split_once(':').filter(|(key, _)| !key.starts_with('-')) {
            open.truncate((line.len() - text.len()) / 2);
            open.push(key.to_owned());
            found.insert(open.join("."), std::mem::take(&mut said).join(" "));
        }
    }
    found
}

/// The rows that the docs should have.
fn rows() -> Vec<String> {
    let comments = comments();
    let row = |(path, default): (String, Value)| {
        let text = comments.get(&path).map(String::as_str).unwrap_or_default();
        // What follows is an example.
        let text = text.split(": azureIdentities:").next().unwrap_or_default();
        format!("| `{path}` | `{default}` | {} |", text.replace('|', "\\|"))
    };
    defaults().into_iter().map(row).collect()
}

#[test]
fn every_value_has_a_comment() {
    let bare: Vec<_> = rows().into_iter().filter(|row| row.ends_with("|  |")).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

#[test]
fn the_docs_list_every_value_with_its_default_and_nothing_else() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/chart.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let table = page.lines().skip_while(|line| *line != "| value | default | meaning |");
    let listed: Vec<&str> = table.filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed, rows(), "docs/reference/chart.md should have these rows:\n{}", rows().join("\n"));
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let (values, schema) = (serde_saphyr::from_str::<Value>(&read("values.yaml")).unwrap(), schema());
    let mut unknown = Vec::new();
    unmatched("", &values, &schema, &mut unknown);
    assert_eq!(unknown, ["global: only in the schema"], "Helm's own value is the only one");
}

/// Keys that only one side has. Below an object that is empty by default, the schema says more.
fn unmatched(path: &str, value: &Value, schema: &Value, found: &mut Vec<String>) {
    let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    if fields.is_empty() {
        return;
    }
    let only_schema = properties.keys().filter(|key| !fields.contains_key(*key));
    found.extend(only_schema.map(|key| format!("{}: only in the schema", join(path, key))));
    for (key, value) in fields {
        match properties.get(key) {
            Some(schema) => unmatched(&join(path, key), value, schema, found),
            None => found.push(format!("{}: only in values.yaml", join(path, key))),
        }
    }
}

#[test]
fn no_object_of_the_schema_takes_keys_that_it_does_not_name() {
    let mut open = Vec::new();
    unlimited("", &schema(), &mut open);
    assert!(open.is_empty(), "{open:#?}");
}

fn unlimited(path: &str, schema: &Value, open: &mut Vec<String>) {
    if schema.get("properties").is_some() && schema["additionalProperties"] != false {
        open.push(path.to_owned());
    }
    for (key, value) in schema.as_object().into_iter().flatten() {
        unlimited(&format!("{path}/{key}"), value, open);
    }
}

#[test]
fn chart_and_program_have_one_version() {
    let chart: Value = serde_saphyr::from_str(&read("Chart.yaml")).unwrap();
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}
