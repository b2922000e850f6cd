//! What do the kinds look like, in OpenAPI v3?
//!
//! Custom kinds are described by their schemas, for `kubectl explain`. Of the built-in ones only the paths are told:
//! kubectl looks there for `fieldValidation` before it lets the server validate, and knows their fields itself.

use serde_json::{Map, Value, json};

use super::super::catalogue::{Catalogue, Kind};

/// `/openapi/v3`.
pub(super) fn documents(catalogue: &Catalogue) -> Value {
    let paths: Map<String, Value> = catalogue
        .group_versions()
        .into_iter()
        .map(|(group, version)| {
            let path = root(group, version);
            (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}))
        })
        .collect();
    json!({"paths": paths})
}

/// The document of one group and version.
pub(super) fn document(catalogue: &Catalogue, group: &str, version: &str) -> Option<Value> {
    let kinds: Vec<&Kind> = catalogue.members(group, version).collect();
    if kinds.is_empty() {
        return None;
    }
    let root = root(group, version);
    let mut paths = Map::new();
    let mut schemas = Map::from_iter([(METADATA.to_owned(), metadata())]);
    for kind in kinds {
        let scope = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("/{root}{scope}/{}", kind.resource.plural());
        paths.insert(format!("{collection}/{{name}}"), operations(kind, &["get", "patch", "put", "delete"]));
        paths.insert(collection, operations(kind, &["get", "post"]));
        schemas.insert(schema_name(kind), schema(kind));
    }
    Some(json!({
        "openapi": "3.0.0", "info": {"title": "podid lab", "version": "v1.33.0"},
        "paths": paths, "components": {"schemas": schemas},
    }))
}

const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

fn root(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn operations(kind: &Kind, methods: &[&str]) -> Value {
    let writes = ["fieldManager", "fieldValidation", "dryRun"]
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}));
    let reference = json!({"$ref": format!("#/components/schemas/{}", schema_name(kind))});
    let operation = |method: &&str| {
        let parameters = if *method == "get" { json!([]) } else { json!(writes) };
        let operation = json!({
            "parameters": parameters, "x-kubernetes-group-version-kind": identity(kind),
            "x-kubernetes-action": if *method == "put" { "update" } else { method },
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        });
        ((*method).to_owned(), operation)
    };
    methods.iter().map(operation).collect::<Map<_, _>>().into()
}

fn identity(kind: &Kind) -> Value {
    json!({"group": kind.resource.group(), "version": kind.version, "kind": kind.name})
}

fn schema_name(kind: &Kind) -> String {
    let group = if kind.resource.group().is_empty() { "core" } else { kind.resource.group() };
    let reversed: Vec<&str> = group.rsplit('.').collect();
    format!("{}.{}.{}", reversed.join("."), kind.version, kind.name)
}

fn schema(kind: &Kind) -> Value {
    let mut schema = match &kind.custom {
        Some(custom) => custom.schema.clone(),
        None => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    };
    schema["x-kubernetes-group-version-kind"] = json!([identity(kind)]);
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    schema["properties"]["metadata"] = json!({
        "description": "Standard object's metadata.", "allOf": [{"$ref": format!("#/components/schemas/{METADATA}")}],
    });
    for (field, text) in [
        ("apiVersion", "APIVersion defines the versioned schema of this representation of an object."),
        ("kind", "Kind is a string value representing the REST resource this object represents."),
    ] {
        schema["properties"][field] = json!({"type": "string", "description": text});
    }
    schema
}

fn metadata() -> Value {
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "description": "ObjectMeta is metadata that all persisted resources must have.",
        "properties": {
            "name": text, "namespace": text, "generateName": text, "uid": text, "resourceVersion": text,
            "creationTimestamp": text, "deletionTimestamp": text, "generation": {"type": "integer"},
            "labels": map, "annotations": map, "finalizers": {"type": "array", "items": text},
        },
    })
}
