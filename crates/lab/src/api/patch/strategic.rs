//! What does a strategic merge patch make of an object?
//!
//! Lists of objects are merged by a key that belongs to the field's name, sets of texts are joined, all other lists are
//! replaced. Directives start with `$`: `$patch`, `$setElementOrder/F`, `$deleteFromPrimitiveList/F`, `$retainKeys`.

use serde_json::{Map, Value};

use super::super::status::Status;

/// Merge keys by field name, for the core kinds that the lab serves.
const MERGE_KEYS: [(&str, &str); 15] = [
    ("addresses", "type"),
    ("conditions", "type"),
    ("containers", "name"),
    ("env", "name"),
    ("ephemeralContainers", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("initContainers", "name"),
    ("ownerReferences", "uid"),
    ("podIPs", "ip"),
    ("ports", "containerPort"),
    ("secrets", "name"),
    ("topologySpreadConstraints", "topologyKey"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
];
const SETS: [&str; 1] = ["finalizers"];

const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Merges a patch into an object.
pub(super) fn merge(object: &mut Value, patch: &Value) -> Result<(), Status> {
    let Some(patch) = patch.as_object() else {
        return Err(Status::bad_request("a strategic merge patch is a JSON object"));
    };
    if let Some(object) = object.as_object_mut() {
        merge_map(object, patch);
    }
    Ok(())
}

fn merge_map(object: &mut Map<String, Value>, patch: &Map<String, Value>) {
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *object = plain(patch);
        return;
    }
    if let Some(retained) = patch.get("$retainKeys").and_then(Value::as_array) {
        object.retain(|key, _| retained.iter().any(|name| name == key));
    }
    for (field, unwanted) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix(DELETE)?, value)))
    {
        if let (Some(list), Some(unwanted)) =
            (object.get_mut(field).and_then(Value::as_array_mut), unwanted.as_array())
        {
            list.retain(|item| !unwanted.contains(item));
        }
    }
    for (field, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        match (object.get_mut(field), value) {
            (_, Value::Null) => {
                object.remove(field);
            }
            (Some(Value::Object(old)), Value::Object(new)) => {
                if new.get("$patch").is_some_and(|directive| directive == "delete") {
                    object.remove(field);
                } else {
                    merge_map(old, new);
                }
            }
            (Some(Value::Array(old)), Value::Array(new)) => merge_list(field, old, new),
            (_, Value::Array(new)) => {
                let mut list = Vec::new();
                merge_list(field, &mut list, new);
                object.insert(field.clone(), list.into());
            }
            (_, Value::Object(new)) => {
                object.insert(field.clone(), plain(new).into());
            }
            (_, value) => {
                object.insert(field.clone(), value.clone());
            }
        }
    }
    for (field, order) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix(ORDER)?, value))) {
        if let (Some(list), Some(order)) =
            (object.get_mut(field).and_then(Value::as_array_mut), order.as_array())
        {
            sort(list, order, merge_key(field));
        }
    }
}

fn merge_list(field: &str, list: &mut Vec<Value>, patch: &[Value]) {
    let replaces = |item: &Value| item["$patch"] == "replace";
    if SETS.contains(&field) {
        for item in patch {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
        return;
    }
    let Some(key) = merge_key(field).filter(|_| !patch.iter().any(replaces)) else {
        *list = patch.iter().filter(|item| !replaces(item)).cloned().collect();
        return;
    };
    for item in patch {
        let Some(fields) = item.as_object() else { continue };
        let place = list.iter().position(|old| old[key] == item[key]);
        match (place, item["$patch"] == "delete") {
            (Some(index), true) => {
                list.remove(index);
            }
            (Some(index), false) => {
                if let Some(old) = list[index].as_object_mut() {
                    merge_map(old, fields);
                }
            }
            (None, true) => {}
            (None, false) => list.push(plain(fields).into()),
        }
    }
}

/// Puts what the order names into that order; the rest keeps its place relative to what stood before it.
fn sort(list: &mut [Value], order: &[Value], key: Option<&str>) {
    let of = |item: &Value| key.map_or_else(|| item.clone(), |key| item[key].clone());
    let wanted: Vec<Value> = order.iter().map(of).collect();
    let mut rank = 0;
    let mut ranked: Vec<(usize, Value)> = list
        .iter()
        .map(|item| {
            rank = wanted.iter().position(|name| *name == of(item)).unwrap_or(rank);
            (rank, item.clone())
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    for (place, (_, item)) in list.iter_mut().zip(ranked) {
        *place = item;
    }
}

fn merge_key(field: &str) -> Option<&'static str> {
    MERGE_KEYS.iter().find(|(name, _)| *name == field).map(|(_, key)| *key)
}

/// A part of a patch that has no counterpart, without its directives and removals.
fn plain(patch: &Map<String, Value>) -> Map<String, Value> {
    let mut object = Map::new();
    let fields = patch.iter().filter(|(key, _)| *key != "$patch");
    merge_map(&mut object, &fields.map(|(key, value)| (key.clone(), value.clone())).collect());
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: &Value, patch: &Value, expected: &Value) {
        let mut object = before.clone();
        merge(&mut object, patch).unwrap();
        assert_eq!(object, *expected, "{patch}");
    }

    #[test]
    fn containers_and_env_are_merged_by_name() {
        check(
            &json!({"spec": {"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}]}]}}),
            &json!({"spec": {"containers": [
                {"name": "a", "image": "y", "env": [{"name": "F", "value": "2"}]}, {"name": "b", "image": "z"}]}}),
            &json!({"spec": {"containers": [
                {"name": "a", "image": "y", "env": [{"name": "E", "value": "1"}, {"name": "F", "value": "2"}]},
                {"name": "b", "image": "z"}]}}),
        );
    }

    #[test]
    fn directives_delete_replace_and_order() {
        check(
            &json!({"volumes": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
            &json!({"volumes": [{"name": "b", "$patch": "delete"}, {"name": "d"}],
                   "$setElementOrder/volumes": [{"name": "d"}, {"name": "a"}, {"name": "c"}]}),
            &json!({"volumes": [{"name": "d"}, {"name": "a"}, {"name": "c"}]}),
        );
        check(
            &json!({"env": [{"name": "a"}], "selector": {"x": "1"}}),
            &json!({"env": [{"$patch": "replace"}, {"name": "b"}], "selector": {"$patch": "replace", "y": "2"}}),
            &json!({"env": [{"name": "b"}], "selector": {"y": "2"}}),
        );
        check(
            &json!({"strategy": {"type": "A", "rolling": {}}}),
            &json!({"strategy": {"$retainKeys": ["type"], "type": "B"}}),
            &json!({"strategy": {"type": "B"}}),
        );
    }

    #[test]
    fn finalizers_are_a_set_and_other_lists_are_replaced() {
        check(
            &json!({"finalizers": ["a", "b"], "args": ["1", "2"]}),
            &json!({"finalizers": ["b", "c"], "$deleteFromPrimitiveList/finalizers": ["a"], "args": ["3"]}),
            &json!({"finalizers": ["b", "c"], "args": ["3"]}),
        );
    }

    #[test]
    fn null_removes_and_a_new_part_carries_no_directive() {
        check(
            &json!({"metadata": {"labels": {"a": "1"}}}),
            &json!({"metadata": {"labels": {"a": null}, "annotations": {"b": null, "c": "2"}},
                   "spec": {"containers": [{"name": "x", "$patch": "delete"}, {"name": "y"}]}}),
            &json!({"metadata": {"labels": {}, "annotations": {"c": "2"}}, "spec": {"containers": [{"name": "y"}]}}),
        );
    }
}
