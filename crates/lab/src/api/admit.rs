//! May this object be stored, and what does the server add to it?

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::catalogue::Kind;
use super::resource::{NODES, PODS};
use super::schema;
use super::status::{Cause, Status};
use super::write::{Fields, Part, Write};

mod defaults;
mod metadata;
mod pod;

/// The object to store in answer to a create, with warnings for the caller.
pub(super) fn create(
    kind: &Kind,
    namespace: &str,
    mut object: Value,
    write: Write,
) -> Result<(Value, Vec<String>), Status> {
    identify(kind, namespace, &mut object)?;
    let metadata = &mut object["metadata"];
    if text(&metadata["name"]).is_empty() && !text(&metadata["generateName"]).is_empty() {
        let suffix: String = uuid::Uuid::new_v4().simple().to_string().chars().take(5).collect();
        metadata["name"] = format!("{}{suffix}", text(&metadata["generateName"])).into();
    }
    if !text(&metadata["resourceVersion"]).is_empty() {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
    }
    forget(metadata, &["deletionTimestamp", "deletionGracePeriodSeconds", "generation"]);
    if kind.custom.is_some() {
        metadata["generation"] = 1.into();
    }
    stamp(&mut object);
    // A kubelet registers its node together with its status.
    if write.part == Part::Main && kind.has_status() && kind.resource != NODES {
        forget(&mut object, &["status"]);
    }
    defaults::complete(kind, &mut object);
    let warnings = check(kind, &mut object, write.fields, Vec::new())?;
    Ok((object, warnings))
}

/// The object to store in answer to a change from `before`, with warnings for the caller.
pub(super) fn update(
    kind: &Kind,
    before: &Value,
    mut after: Value,
    write: Write,
) -> Result<(Value, Vec<String>), Status> {
    let (namespace, name) = key(before);
    identify(kind, namespace, &mut after)?;
    let metadata = &mut after["metadata"];
    if text(&metadata["name"]) != name {
        let given = text(&metadata["name"]);
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    let mut causes = Vec::new();
    let version = text(&metadata["resourceVersion"]);
    if version.is_empty() && kind.custom.is_some() {
        causes.push(Cause::invalid(
            "metadata.resourceVersion",
            &"0x0".into(),
            "must be specified for an update",
        ));
    } else if !version.is_empty() && version != text(&before["metadata"]["resourceVersion"]) {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Status::conflict(&kind.resource, name, why));
    }
    let (old, new) = (text(&before["metadata"]["uid"]), text(&metadata["uid"]));
    if !new.is_empty() && new != old {
        let why = format!("Precondition failed: UID in precondition: {new}, UID in object meta: {old}");
        return Err(Status::conflict(&kind.resource, name, &why));
    }
    causes.extend(metadata::new_finalizers(before, metadata));
    for field in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ] {
        restore(metadata, &before["metadata"], field);
    }
    match write.part {
        Part::Status => {
            let status = after["status"].take();
            after = before.clone();
            after["status"] = status;
        }
        Part::Main if kind.has_status() => restore(&mut after, before, "status"),
        Part::Main | Part::Whole => {}
    }
    defaults::complete(kind, &mut after);
    if kind.resource == PODS {
        causes.extend(pod::changed(&before["spec"], &after["spec"]));
    }
    let warnings = check(kind, &mut after, write.fields, causes)?;
    if kind.custom.is_some() && !same_but_metadata(before, &after) {
        bump_generation(&mut after);
    }
    Ok((after, warnings))
}

/// Namespace (empty for cluster-scoped kinds) and name of an object.
pub(super) fn key(object: &Value) -> (&str, &str) {
    (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// The text of a field, empty if it is absent.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The time in so many seconds, as Kubernetes writes it.
pub(super) fn now(in_seconds: u64) -> String {
    let ahead = SignedDuration::from_secs(i64::try_from(in_seconds).unwrap_or(0));
    let at = Timestamp::now().saturating_add(ahead).unwrap_or_default();
    Timestamp::from_second(at.as_second()).unwrap_or_default().to_string()
}

/// Gives an object its birth certificate.
pub(super) fn stamp(object: &mut Value) {
    object["metadata"]["uid"] = uuid::Uuid::new_v4().to_string().into();
    object["metadata"]["creationTimestamp"] = now(0).into();
}

/// Counts a change of what is wanted, on kinds that count it.
pub(super) fn bump_generation(object: &mut Value) {
    if let Some(generation) = object["metadata"]["generation"].as_u64() {
        object["metadata"]["generation"] = (generation + 1).into();
    }
}

fn identify(kind: &Kind, namespace: &str, object: &mut Value) -> Result<(), Status> {
    if !object.is_object() {
        return Err(Status::bad_request("the object provided is not a JSON object"));
    }
    if object["metadata"].is_null() {
        object["metadata"] = json!({});
    }
    if !object["metadata"].is_object() {
        return Err(Status::bad_request("metadata is not a JSON object"));
    }
    for (field, expected, label) in
        [("apiVersion", kind.api_version(), "API version"), ("kind", kind.name.clone(), "kind")]
    {
        let given = text(&object[field]);
        if !given.is_empty() && given != expected {
            return Err(Status::bad_request(format!(
                "the {label} in the data ({given}) does not match the expected {label} ({expected})"
            )));
        }
        object[field] = expected.into();
    }
    let metadata = &mut object["metadata"];
    forget(metadata, &["managedFields", "selfLink"]);
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|_, value| !is_empty(value));
    }
    if !kind.namespaced {
        forget(metadata, &["namespace"]);
        return Ok(());
    }
    let given = text(&metadata["namespace"]);
    if !given.is_empty() && given != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata["namespace"] = namespace.into();
    Ok(())
}

fn check(
    kind: &Kind,
    object: &mut Value,
    fields: Fields,
    mut causes: Vec<Cause>,
) -> Result<Vec<String>, Status> {
    let mut warnings = Vec::new();
    if let Some(custom) = &kind.custom {
        let unknown = schema::prune(&custom.schema, object);
        let texts: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
        if fields == Fields::Strict && !texts.is_empty() {
            return Err(Status::bad_request(format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: strict decoding error: {}",
                kind.version,
                texts.join(", "),
                kind = kind.name,
            )));
        }
        if fields == Fields::Warn {
            warnings = texts;
        }
        causes.extend(schema::validate(&custom.schema, object));
    }
    causes.extend(metadata::problems(kind, &object["metadata"])?);
    if kind.resource == PODS {
        causes.extend(pod::problems(&object["spec"]));
    }
    if causes.is_empty() {
        return Ok(warnings);
    }
    Err(Status::invalid(kind.resource.group(), &kind.name, key(object).1, &causes))
}

fn same_but_metadata(before: &Value, after: &Value) -> bool {
    let rest = |object: &Value| {
        let mut rest = object.clone();
        forget(&mut rest, &["metadata"]);
        rest
    };
    rest(before) == rest(after)
}

fn restore(into: &mut Value, from: &Value, field: &str) {
    match &from[field] {
        Value::Null => forget(into, &[field]),
        value => into[field] = value.clone(),
    }
}

/// What a typed server does not keep in metadata.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn forget(object: &mut Value, fields: &[&str]) {
    if let Some(object) = object.as_object_mut() {
        for field in fields {
            object.remove(*field);
        }
    }
}
