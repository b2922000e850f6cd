//! What does the API server say right now, where a watch may be late or would say too much?

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use kube::api::ListParams;
use kube::{Api, Client};
use podid_core::facts::{DaemonSet, Pod};
use podid_core::ids::{NodeName, ObjectRef, Uid};
use secrecy::SecretSlice;

use crate::call::{CallError, bounded};
use crate::facts;

/// The pods of `node`, asked live, within `limit`. One that gives no fact is left out.
pub async fn pods_on_node(client: &Client, node: &NodeName, limit: Duration) -> Result<Vec<Pod>, CallError> {
    let api: Api<core::Pod> = Api::all(client.clone());
    let params = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let list = bounded(|| format!("list pods of node {node}"), limit, api.list(&params)).await?;
    Ok(list.items.iter().filter_map(|pod| facts::pod(pod).ok()).collect())
}

/// The DaemonSet `id`, asked live, within `limit`; none if it does not exist.
pub async fn daemon_set(
    client: &Client,
    id: &ObjectRef,
    limit: Duration,
) -> Result<Option<DaemonSet>, CallError> {
    let api: Api<apps::DaemonSet> = Api::namespaced(client.clone(), &id.namespace);
    let found = bounded(|| format!("read DaemonSet {id}"), limit, api.get_opt(&id.name)).await?;
    Ok(found.and_then(|object| facts::daemon_set(&object).ok()))
}

/// A Secret, as far as a credential may be in it.
pub struct Secret {
    /// Distinguishes it from another one of the same name.
    pub uid: Uid,
    /// Another text after every edit.
    pub version: String,
    /// Its entries.
    pub entries: BTreeMap<String, SecretSlice<u8>>,
}

/// The Secret `id`, within `limit`.
pub async fn secret(client: &Client, id: &ObjectRef, limit: Duration) -> Result<Secret, CallError> {
    let api: Api<core::Secret> = Api::namespaced(client.clone(), &id.namespace);
    let secret = bounded(|| format!("read Secret {id}"), limit, api.get(&id.name)).await?;
    Ok(Secret {
        uid: Uid::new(secret.metadata.uid.unwrap_or_default()),
        version: secret.metadata.resource_version.unwrap_or_default(),
        entries: secret
            .data
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key, SecretSlice::from(value.0)))
            .collect(),
    })
}

// === impl Secret ===

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, version {}, [redacted])", self.uid, self.version)
    }
}
