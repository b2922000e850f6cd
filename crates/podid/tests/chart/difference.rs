//! At which paths do two sets of objects differ?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Objects by kind, namespace and name.
pub(crate) type Objects = BTreeMap<String, Value>;

/// What is at each path of a set of objects. Lists are flattened so that only what matters counts:
/// elements with a name by that name, words by themselves, rules of a role right by right.
pub(crate) type Leaves = BTreeMap<String, String>;

/// Objects under the keys by which they are compared. Each may be there only once.
pub(crate) fn index(objects: Vec<Value>) -> Objects {
    let mut indexed = Objects::new();
    for object in objects {
        let key = key(&object);
        assert!(indexed.insert(key.clone(), object).is_none(), "{key} is there twice");
    }
    indexed
}

/// All that is said about the objects, by path.
pub(crate) fn leaves(objects: &Objects) -> Leaves {
    let mut leaves = Leaves::new();
    for (key, object) in objects {
        flatten(key, object, &mut leaves);
    }
    leaves
}

/// As [`between`], but an object that only one side has is named once, and a new one told by what is in it.
pub(crate) fn changes(left: &Objects, right: &Objects) -> Vec<String> {
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let mut lines = Vec::new();
    for key in keys {
        let of = |objects: &Objects| {
            let object = objects.get(key)?;
            Some(leaves(&Objects::from([(key.clone(), object.clone())])))
        };
        match (of(left), of(right)) {
            (Some(had), Some(has)) => lines.extend(between(&had, &has)),
            (Some(_), None) => lines.push(format!("- {key}")),
            (None, Some(has)) => {
                lines.push(format!("+ {key}"));
                let told = |path: &str| {
                    !["/apiVersion", "/kind", "/metadata/"].iter().any(|part| path.starts_with(part))
                };
                let inside = has.iter().map(|(path, value)| (&path[key.len()..], value));
                lines.extend(
                    inside.filter(|(path, _)| told(path)).map(|(path, value)| line(' ', path, value)),
                );
            }
            (None, None) => {}
        }
    }
    lines
}

/// One line for each path: `-` for what only `left` has, `+` for what only `right` has.
pub(crate) fn between(left: &Leaves, right: &Leaves) -> Vec<String> {
    let paths: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let mut lines = Vec::new();
    for path in paths {
        let (had, has) = (left.get(path), right.get(path));
        if had != has {
            lines.extend(had.map(|value| line('-', path, value)));
            lines.extend(has.map(|value| line('+', path, value)));
        }
    }
    lines
}

fn line(sign: char, path: &str, value: &str) -> String {
    format!("{sign} {path} {value}").trim_end().to_owned()
}

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().map(|name| format!("{name}/")).unwrap_or_default();
    format!("{} {namespace}{}", object["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap())
}

fn flatten(path: &str, value: &Value, leaves: &mut Leaves) {
    match value {
        Value::Object(fields) if fields.contains_key("verbs") => rights(path, value, leaves),
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                flatten(&format!("{path}/{key}"), value, leaves);
            }
        }
        Value::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                match (element, element["name"].as_str()) {
                    (Value::String(word), _) => {
                        leaves.insert(format!("{path}/{word}"), String::new());
                    }
                    (_, Some(name)) => flatten(&format!("{path}/{name}"), element, leaves),
                    _ if element.get("verbs").is_some() => flatten(path, element, leaves),
                    _ => flatten(&format!("{path}/{position}"), element, leaves),
                }
            }
        }
        _ => {
            leaves.insert(path.to_owned(), value.to_string());
        }
    }
}

/// What one rule allows, each right for itself.
fn rights(path: &str, rule: &Value, leaves: &mut Leaves) {
    let words = |key: &str| -> Vec<&str> {
        rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let names = words("resourceNames").join(",");
    for group in words("apiGroups") {
        for resource in words("resources") {
            for verb in words("verbs") {
                let only = if names.is_empty() { String::new() } else { format!(" only {names}") };
                leaves.insert(format!("{path}/{verb} {group}/{resource}{only}"), String::new());
            }
        }
    }
}

#[test]
fn a_difference_is_told_with_its_path() {
    let role = |verb| {
        serde_json::json!({"kind": "Role", "metadata": {"name": "r", "namespace": "n"}, "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": [verb, "list"], "resourceNames": ["p"]}
        ]})
    };
    let of = |verb| leaves(&index(vec![role(verb)]));
    assert_eq!(between(&of("get"), &of("get")), Vec::<String>::new());
    let expected = ["- Role n/r/rules/get /pods only p", "+ Role n/r/rules/watch /pods only p"];
    assert_eq!(between(&of("get"), &of("watch")), expected);
}

#[test]
fn the_order_of_arguments_does_not_count_and_their_values_do() {
    let of = |args: [&str; 2]| {
        leaves(&index(vec![serde_json::json!({"kind": "Pod", "metadata": {"name": "p"}, "args": args})]))
    };
    assert!(between(&of(["a", "b"]), &of(["b", "a"])).is_empty());
    assert_eq!(between(&of(["a", "b"]), &of(["a", "c"])), ["- Pod p/args/b", "+ Pod p/args/c"]);
}
