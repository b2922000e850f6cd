//! Does an object follow the schema of its custom resource definition?

use regex::Regex;
use serde_json::Value;

use super::status::Cause;
use rule::Rule;

mod rule;

const EMBEDDED: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes what the schema does not know, and names it.
pub(super) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_at(schema, object, "", true, &mut unknown);
    unknown
}

/// What is wrong with an object.
pub(super) fn validate(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    validate_at(schema, object, "", true, &mut causes);
    causes
}

/// A rule of the schema that this server cannot judge.
pub(super) fn foreign_rule(schema: &Value) -> Option<&str> {
    let own = rules(schema).map(|(rule, _)| rule).find(|rule| Rule::parse(rule).is_none());
    own.or_else(|| match schema {
        Value::Object(map) => map.values().find_map(foreign_rule),
        Value::Array(items) => items.iter().find_map(foreign_rule),
        _ => None,
    })
}

fn prune_at(schema: &Value, value: &mut Value, path: &str, embedded: bool, unknown: &mut Vec<String>) {
    let embedded = embedded || flag(schema, "x-kubernetes-embedded-resource");
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                prune_at(&schema["items"], item, &format!("{path}[{index}]"), false, unknown);
            }
        }
        Value::Object(map) => map.retain(|key, value| {
            if embedded && EMBEDDED.contains(&key.as_str()) {
                return true;
            }
            let at = join(path, key);
            if let Some(schema) = child(schema, key) {
                prune_at(schema, value, &at, false, unknown);
                return true;
            }
            let keep = flag(schema, "x-kubernetes-preserve-unknown-fields")
                || schema["additionalProperties"] == true;
            if !keep {
                unknown.push(at);
            }
            keep
        }),
        _ => {}
    }
}

fn validate_at(schema: &Value, value: &Value, path: &str, embedded: bool, causes: &mut Vec<Cause>) {
    if value.is_null() && flag(schema, "nullable") {
        return;
    }
    let embedded = embedded || flag(schema, "x-kubernetes-embedded-resource");
    let found = type_of(value);
    let fits = match schema["type"].as_str() {
        None => !flag(schema, "x-kubernetes-int-or-string") || ["integer", "string"].contains(&found),
        Some("number") => ["integer", "number"].contains(&found),
        Some(wanted) => wanted == found,
    };
    if !fits {
        let wanted = schema["type"].as_str().unwrap_or("integer,string");
        let message =
            format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
        causes.push(Cause { field: path.into(), reason: "FieldValueTypeInvalid", message });
        return;
    }
    let mut refuse = |why: String| causes.push(Cause::invalid(path, value, &format!("{path} in body {why}")));
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
                refuse(format!("should be at least {least} chars long"));
            }
            if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
                refuse(format!("should be at most {most} chars long"));
            }
            if let Some(pattern) = schema["pattern"].as_str().filter(|pattern| !found_in(pattern, text)) {
                refuse(format!("should match '{pattern}'"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
                refuse(format!("should be greater than or equal to {least}"));
            }
            if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
                refuse(format!("should be less than or equal to {most}"));
            }
        }
        Value::Object(map) => {
            if let Some(least) = schema["minProperties"].as_u64().filter(|least| (map.len() as u64) < *least)
            {
                refuse(format!("should have at least {least} properties"));
            }
        }
        Value::Array(items) => {
            if let Some(least) = schema["minItems"].as_u64().filter(|least| (items.len() as u64) < *least) {
                refuse(format!("should have at least {least} items"));
            }
            if let Some(most) = schema["maxItems"].as_u64().filter(|most| items.len() as u64 > *most) {
                refuse(format!("should have at most {most} items"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    if let Some(supported) = schema["enum"].as_array().filter(|supported| !supported.contains(value)) {
        let list: Vec<String> = supported.iter().map(Value::to_string).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        causes.push(Cause { field: path.into(), reason: "FieldValueNotSupported", message });
    }
    for (rule, message) in rules(schema) {
        if Rule::parse(rule).is_some_and(|rule| !rule.holds(value)) {
            let message =
                if message.is_empty() { format!("failed rule: {rule}") } else { message.to_owned() };
            causes.push(Cause::invalid(path, &found.into(), &message));
        }
    }
    validate_children(schema, value, path, embedded, causes);
}

fn validate_children(schema: &Value, value: &Value, path: &str, embedded: bool, causes: &mut Vec<Cause>) {
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            causes.push(Cause::required(join(path, key), ""));
        }
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| !(embedded && key.as_str() == "metadata")) {
                if let Some(schema) = child(schema, key) {
                    validate_at(schema, value, &join(path, key), false, causes);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                validate_at(&schema["items"], value, &format!("{path}[{index}]"), false, causes);
            }
        }
        _ => {}
    }
}

/// The rules of one part of a schema, with their messages.
fn rules(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.filter_map(|rule| Some((rule["rule"].as_str()?, rule["message"].as_str().unwrap_or_default())))
}

fn child<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema["properties"]
        .get(key)
        .or_else(|| Some(&schema["additionalProperties"]).filter(|more| more.is_object()))
}

fn flag(schema: &Value, name: &str) -> bool {
    schema[name] == true
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A pattern that cannot be read matches everything: the definition is at fault, not the object.
fn found_in(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).map_or(true, |regex| regex.is_match(text))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 4, "pattern": "^[a-z]*$"},
            "kind": {"type": "integer", "enum": [0, 1], "nullable": true},
            "size": {"type": "number", "minimum": 0, "maximum": 2},
            "port": {"x-kubernetes-int-or-string": true},
            "labels": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "maxItems": 1, "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "bare": {"type": "object"},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "copy": {"type": "object", "x-kubernetes-embedded-resource": true, "properties": {"spec": {"type": "object"}}},
            "selector": {"type": "string", "x-kubernetes-validations": [{"rule": "self != ''", "message": "is empty"}]},
        }}}})
    }

    #[test]
    fn unknown_fields_are_pruned_and_named() {
        let mut object = json!({
            "apiVersion": "v1", "kind": "K", "metadata": {"x": 1}, "extra": 1,
            "spec": {"Name": "n", "list": [{"a": "x", "b": 1}], "bare": {"c": 1}, "open": {"d": 1}, "labels": {"e": "f"},
                     "copy": {"kind": "K", "metadata": {"name": "m"}, "spec": {"g": 1}, "h": 1}},
        });
        let unknown = prune(&schema(), &mut object);
        assert_eq!(
            unknown,
            ["extra", "spec.Name", "spec.bare.c", "spec.copy.h", "spec.copy.spec.g", "spec.list[0].b"]
        );
        assert_eq!(
            object,
            json!({
                "apiVersion": "v1", "kind": "K", "metadata": {"x": 1},
                "spec": {"list": [{"a": "x"}], "bare": {}, "open": {"d": 1}, "labels": {"e": "f"},
                         "copy": {"kind": "K", "metadata": {"name": "m"}, "spec": {}}},
            })
        );
    }

    #[test]
    fn every_broken_constraint_is_named_with_its_field() {
        for (field, value, expected) in [
            (
                "name",
                json!(5),
                r#"Invalid value: "integer": spec.name in body must be of type string: "integer""#,
            ),
            ("name", json!(""), r#"Invalid value: "": spec.name in body should be at least 1 chars long"#),
            (
                "name",
                json!("abcde"),
                r#"Invalid value: "abcde": spec.name in body should be at most 4 chars long"#,
            ),
            ("name", json!("A"), r#"Invalid value: "A": spec.name in body should match '^[a-z]*$'"#),
            ("kind", json!(2), "Unsupported value: 2: supported values: 0, 1"),
            ("size", json!(-1), "Invalid value: -1: spec.size in body should be greater than or equal to 0"),
            ("size", json!(2.5), "Invalid value: 2.5: spec.size in body should be less than or equal to 2"),
            (
                "port",
                json!(true),
                r#"Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean""#,
            ),
            ("labels", json!({}), "Invalid value: {}: spec.labels in body should have at least 1 properties"),
            (
                "list",
                json!([{}, {}]),
                "Invalid value: [{},{}]: spec.list in body should have at most 1 items",
            ),
            ("selector", json!(""), r#"Invalid value: "string": is empty"#),
            (
                "selector",
                Value::Null,
                r#"Invalid value: "null": spec.selector in body must be of type string: "null""#,
            ),
        ] {
            let mut object = json!({"spec": {"name": "n"}});
            object["spec"][field] = value;
            let causes = validate(&schema(), &object);
            assert_eq!(causes.len(), 1, "{causes:?}");
            assert_eq!(
                (causes[0].field.as_str(), causes[0].message.as_str()),
                (&*format!("spec.{field}"), expected)
            );
        }
        let missing = validate(&schema(), &json!({"spec": {}}));
        assert_eq!((missing[0].field.as_str(), missing[0].reason), ("spec.name", "FieldValueRequired"));
    }

    #[test]
    fn what_the_schema_allows_passes() {
        let object = json!({"metadata": {"anything": 1}, "spec": {
            "name": "abc", "kind": null, "size": 1, "port": "http", "labels": {"a": "b"}, "list": [{"a": "b"}],
            "copy": {"metadata": {"x": []}}, "selector": "s"}});
        assert_eq!(validate(&schema(), &object), []);
    }

    #[test]
    fn rule_beyond_the_subset_is_found_anywhere() {
        assert_eq!(foreign_rule(&schema()), None);
        let mut schema = schema();
        schema["properties"]["spec"]["x-kubernetes-validations"] = json!([{"rule": "has(self.name)"}]);
        assert_eq!(foreign_rule(&schema), Some("has(self.name)"));
    }
}
