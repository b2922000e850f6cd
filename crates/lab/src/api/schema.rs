//! Does an object follow the schema of its custom resource definition?

use regex::Regex;
use serde_json::Value;

use super::status::Cause;

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
