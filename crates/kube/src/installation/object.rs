//! How is one object of an installation applied, and removed?

use std::time::Duration;

use kube::api::{
    DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use podid_core::addon::MARK;
use serde_json::{Value, json};

use super::{kind, name, namespace, title};
use crate::call::{CallError, bounded};
use crate::definitions::FIELD_MANAGER;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Time between two looks at an object that is going.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Made,
    /// It was changed, or removed.
    Changed,
    /// It was as it should be, or not there.
    None,
    /// It is somebody else's, and was left alone.
    Foreign,
}

/// Makes the object what it should be, with the mark. With `keep`, one that is there is left as it is.
pub async fn apply(client: &Client, object: &Value, keep: bool) -> Result<Change, CallError> {
    let api = api(client, object);
    let (name, title) = (name(object), title(object));
    let before = bounded(|| format!("read {title}"), LIMIT, api.get_opt(name)).await?;
    if keep && before.is_some() {
        return Ok(Change::None);
    }
    let mut object = object.clone();
    let (key, value) = MARK;
    object["metadata"]["labels"][key] = json!(value);
    if keep {
        let wanted = serde_json::from_value::<DynamicObject>(object).map_err(|error| CallError::Refused {
            what: format!("create {title}"),
            problem: error.to_string(),
        })?;
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        return match bounded(|| format!("create {title}"), LIMIT, api.create(&params, &wanted)).await {
            Ok(_) => Ok(Change::Made),
            // Somebody was faster.
            Err(CallError::Conflict { .. }) => Ok(Change::None),
            Err(error) => Err(error),
        };
    }
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(&object);
    let call = api.patch(name, &params, &patch);
    let after = bounded(|| format!("apply {title}"), LIMIT, call).await?;
    Ok(match before {
        None => Change::Made,
        Some(before) if before.resource_version() == after.resource_version() => Change::None,
        Some(_) => Change::Changed,
    })
}

/// Removes the object if it carries the mark, or whoever made it with `any`; waits until it is gone, at
/// most `limit`.
pub async fn remove(
    client: &Client,
    object: &Value,
    any: bool,
    limit: Duration,
) -> Result<Change, CallError> {
    let api = api(client, object);
    let (name, title) = (name(object), title(object));
    let read = || bounded(|| format!("read {title}"), LIMIT, api.get_opt(name));
    let found = match read().await {
        Ok(Some(found)) => found,
        // A kind that is not defined (any more) has no objects.
        Ok(None) | Err(CallError::Absent { .. }) => return Ok(Change::None),
        Err(error) => return Err(error),
    };
    let (key, value) = MARK;
    if !any && found.labels().get(key).is_none_or(|found| found != value) {
        return Ok(Change::Foreign);
    }
    let preconditions = Preconditions { uid: found.uid(), resource_version: None };
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    match bounded(|| format!("delete {title}"), LIMIT, api.delete(name, &params)).await {
        Ok(_) | Err(CallError::Absent { .. }) => {}
        Err(error) => return Err(error),
    }
    let end = tokio::time::Instant::now() + limit;
    loop {
        let late = tokio::time::Instant::now() >= end;
        match read().await {
            Ok(Some(still)) if still.uid() == found.uid() => {}
            Ok(_) | Err(CallError::Absent { .. }) => return Ok(Change::Changed),
            // An answer that did not come says nothing about the object.
            Err(error) if late => return Err(error),
            Err(_) => {}
        }
        if late {
            let problem = format!(
                "it is still there after {} s; its finalizers, or pods of a node that is down, hold it",
                limit.as_secs()
            );
            return Err(CallError::Refused { what: format!("delete {title}"), problem });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind(object)));
    match namespace(object) {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    }
}
