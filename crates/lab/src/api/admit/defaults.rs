//! What does the server fill in?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::catalogue::Kind;
use super::super::resource::{NAMESPACES, PODS, SECRETS};
use super::{forget, pod, text};

/// Fills in what the writer may leave open, with the values of a real server.
pub(super) fn complete(kind: &Kind, object: &mut Value) {
    if kind.resource == PODS {
        pod::complete(object);
    } else if kind.resource == SECRETS {
        complete_secret(object);
    } else if kind.resource == NAMESPACES {
        complete_namespace(object);
    }
}

fn complete_secret(secret: &mut Value) {
    let plain = secret["stringData"].take();
    forget(secret, &["stringData"]);
    if secret["type"].is_null() {
        secret["type"] = "Opaque".into();
    }
    for (key, value) in plain.as_object().into_iter().flatten() {
        if secret["data"].is_null() {
            secret["data"] = json!({});
        }
        if let Some(data) = secret["data"].as_object_mut() {
            data.insert(key.clone(), STANDARD.encode(text(value)).into());
        }
    }
}

fn complete_namespace(namespace: &mut Value) {
    let name = namespace["metadata"]["name"].clone();
    let metadata = &mut namespace["metadata"];
    if metadata["labels"].is_null() {
        metadata["labels"] = json!({});
    }
    if let Some(labels) = metadata["labels"].as_object_mut() {
        labels.insert("kubernetes.io/metadata.name".into(), name);
    }
    if namespace["status"].is_null() {
        namespace["status"] = json!({"phase": "Active"});
    }
}
