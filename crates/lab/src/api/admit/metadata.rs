//! Are the names, labels and finalizers of an object well formed?

use serde_json::Value;

use super::super::catalogue::Kind;
use super::super::resource::NAMESPACES;
use super::super::status::{Cause, Status};
use super::text;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// What is wrong with the metadata of an object.
pub(super) fn problems(kind: &Kind, metadata: &Value) -> Result<Vec<Cause>, Status> {
    let mut causes = Vec::new();
    let name = text(&metadata["name"]);
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if kind.resource == NAMESPACES && !is_dns_label(name) {
        causes.push(Cause::invalid("metadata.name", &metadata["name"], LABEL));
    } else if !is_dns_subdomain(name) {
        causes.push(Cause::invalid("metadata.name", &metadata["name"], SUBDOMAIN));
    }
    for (key, value) in pairs(metadata, "labels")? {
        if !is_qualified(key) {
            causes.push(Cause::invalid("metadata.labels", &key.into(), QUALIFIED));
        }
        if !(value.is_empty() || is_name(value)) {
            causes.push(Cause::invalid("metadata.labels", &value.into(), LABEL_VALUE));
        }
    }
    for (key, _) in pairs(metadata, "annotations")? {
        if !is_qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &key.into(), QUALIFIED));
        }
    }
    for finalizer in finalizers(metadata) {
        if !is_qualified(finalizer) {
            causes.push(Cause::invalid("metadata.finalizers", &finalizer.into(), QUALIFIED));
        }
    }
    Ok(causes)
}

/// A finalizer that appears while the object is being deleted.
pub(super) fn new_finalizers(before: &Value, metadata: &Value) -> Option<Cause> {
    let old: Vec<&str> = finalizers(&before["metadata"]).collect();
    let new: Vec<&str> = finalizers(metadata).filter(|finalizer| !old.contains(finalizer)).collect();
    let deleting = before["metadata"]["deletionTimestamp"].is_string();
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.iter().map(|finalizer| format!("{finalizer:?}")).collect::<Vec<_>>().join(", ")
    );
    (deleting && !new.is_empty()).then(|| Cause::forbidden("metadata.finalizers", &why))
}

/// A DNS label of RFC 1123: lower case, at most 63 characters.
pub(super) fn is_dns_label(text: &str) -> bool {
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.starts_with(|c: char| c != '-')
        && !text.ends_with('-')
}

fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| is_dns_label(&part[..part.len().min(63)]) && !part.is_empty())
}

fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().next_back())
}

fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_name(name),
        None => is_name(text),
    }
}

fn finalizers(metadata: &Value) -> impl Iterator<Item = &str> {
    metadata["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn pairs<'a>(metadata: &'a Value, field: &str) -> Result<Vec<(&'a str, &'a str)>, Status> {
    let wrong = |what: &str| Status::bad_request(format!("metadata.{field} {what}"));
    match &metadata[field] {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match value {
                Value::String(value) => Ok((key.as_str(), value.as_str())),
                _ => Err(wrong(&format!("holds a value that is not a string, under \"{key}\""))),
            })
            .collect(),
        _ => Err(wrong("is not a map of strings")),
    }
}
