//! How is one object written without touching what others put there?

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use podid_core::addon::MARK;
use podid_core::addon::labels::Labels;
use podid_core::ids::{ClientId, IdentityResourceId, ObjectRef, Uid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::LIMIT;
use crate::call::{CallError, bounded};
use crate::crd::{API_VERSION, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException};
use crate::definitions::FIELD_MANAGER;

/// Makes the namespace; one that somebody made meanwhile will do.
pub async fn create_namespace(client: &Client, name: &str) -> Result<(), CallError> {
    let (key, value) = MARK;
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {key: value}},
    });
    let what = || format!("create namespace {name}");
    let object: core::Namespace = read(object, &what)?;
    let api = Api::<core::Namespace>::all(client.clone());
    match bounded(&what, LIMIT, async { api.create(&by_us(), &object).await }).await {
        Err(CallError::Conflict { .. }) => Ok(()),
        result => result.map(drop),
    }
}

/// Creates the `AzureIdentity`, or changes what it says over `version`.
pub async fn write_identity(
    client: &Client,
    id: &ObjectRef,
    resource: &IdentityResourceId,
    client_id: &ClientId,
    version: Option<&str>,
) -> Result<(), CallError> {
    let spec = json!({"type": 0, "resourceID": resource.as_str(), "clientID": client_id.as_str()});
    write::<AzureIdentity>(client, id, spec, version).await
}

/// Creates the `AzureIdentityBinding`, or changes what it says over `version`.
pub async fn write_binding(
    client: &Client,
    id: &ObjectRef,
    identity: &str,
    selector: &str,
    version: Option<&str>,
) -> Result<(), CallError> {
    let spec = json!({"azureIdentity": identity, "selector": selector});
    write::<AzureIdentityBinding>(client, id, spec, version).await
}

/// Creates the `AzurePodIdentityException`, or changes its labels over `version`, given those it had `before`.
pub async fn write_exception(
    client: &Client,
    id: &ObjectRef,
    labels: &Labels,
    before: Option<(&str, &Labels)>,
) -> Result<(), CallError> {
    let mut wanted: serde_json::Map<String, Value> =
        labels.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect();
    let gone = before.into_iter().flat_map(|(_, before)| before.keys());
    // A merge keeps what is not named, so what goes is named.
    let gone: Vec<Arc<str>> = gone.filter(|key| !labels.contains_key(*key)).cloned().collect();
    wanted.extend(gone.iter().map(|key| (key.to_string(), Value::Null)));
    let version = before.map(|(version, _)| version);
    write::<AzurePodIdentityException>(client, id, json!({"podLabels": wanted}), version).await
}

/// Deletes the `AzureIdentity` with this uid; one that is gone is fine.
pub async fn delete_identity(client: &Client, id: &ObjectRef, uid: &Uid) -> Result<(), CallError> {
    delete::<AzureIdentity>(client, id, Some(uid.as_str()), None).await
}

/// Deletes the `AzureIdentityBinding` with this uid; one that is gone is fine.
pub async fn delete_binding(client: &Client, id: &ObjectRef, uid: &Uid) -> Result<(), CallError> {
    delete::<AzureIdentityBinding>(client, id, Some(uid.as_str()), None).await
}

/// Deletes the `AzurePodIdentityException` of this version; one that is gone is fine.
pub async fn delete_exception(client: &Client, id: &ObjectRef, version: &str) -> Result<(), CallError> {
    delete::<AzurePodIdentityException>(client, id, None, Some(version)).await
}

async fn write<K>(
    client: &Client,
    id: &ObjectRef,
    spec: Value,
    version: Option<&str>,
) -> Result<(), CallError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Serialize,
{
    let api = Api::<K>::namespaced(client.clone(), &id.namespace);
    let (key, value) = MARK;
    let kind = K::kind(&());
    let Some(version) = version else {
        let what = || format!("create {kind} {id}");
        let object = json!({
            "apiVersion": API_VERSION, "kind": kind, "spec": spec,
            "metadata": {"name": &*id.name, "namespace": &*id.namespace, "labels": {key: value}},
        });
        let object: K = read(object, &what)?;
        return bounded(&what, LIMIT, async { api.create(&by_us(), &object).await }).await.map(drop);
    };
    let change = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": spec}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    bounded(|| format!("update {kind} {id}"), LIMIT, api.patch(&id.name, &params, &change)).await.map(drop)
}

async fn delete<K>(
    client: &Client,
    id: &ObjectRef,
    uid: Option<&str>,
    version: Option<&str>,
) -> Result<(), CallError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let preconditions = Some(Preconditions { uid: owned(uid), resource_version: owned(version) });
    let params = DeleteParams { preconditions, ..DeleteParams::default() };
    let api = Api::<K>::namespaced(client.clone(), &id.namespace);
    let what = || format!("delete {} {id}", K::kind(&()));
    match bounded(what, LIMIT, async { api.delete(&id.name, &params).await.map(drop) }).await {
        Err(CallError::Absent { .. }) => Ok(()),
        result => result,
    }
}

fn read<K: DeserializeOwned>(object: Value, what: &impl Fn() -> String) -> Result<K, CallError> {
    serde_json::from_value(object)
        .map_err(|error| CallError::Refused { what: what(), problem: error.to_string() })
}

fn by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests {
    use podid_core::addon::labels;

    use super::*;
    use crate::testing::Store;

    const GROUP: &str = "/apis/aadpodidentity.k8s.io/v1/namespaces/shop";

    fn resource() -> IdentityResourceId {
        IdentityResourceId::parse(
            "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app",
        )
        .unwrap()
    }

    #[tokio::test]
    async fn what_others_put_on_an_object_stays() {
        let (store, id) = (Store::default(), ObjectRef::new("shop", "app"));
        let path = format!("{GROUP}/azureidentities/app");
        let client_id = ClientId::parse("c-1").unwrap();
        write_identity(&store.client(), &id, &resource(), &client_id, None).await.unwrap();
        let mut object = store.get(&path).unwrap();
        assert_eq!(object["metadata"]["labels"][MARK.0], MARK.1);
        assert_eq!(object["spec"]["type"], 0);
        object["metadata"]["labels"]["team"] = "web".into();
        object["metadata"]["annotations"] = json!({"note": "x"});
        object["spec"]["metadata"] = json!({"theirs": 1});
        store.put(&path, object);
        let version = store.get(&path).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let other = ClientId::parse("c-2").unwrap();
        write_identity(&store.client(), &id, &resource(), &other, Some(&version)).await.unwrap();
        let after = store.get(&path).unwrap();
        assert_eq!(after["spec"]["clientID"], "c-2");
        assert_eq!(after["metadata"]["labels"]["team"], "web");
        assert_eq!(after["metadata"]["annotations"], json!({"note": "x"}));
        assert_eq!(after["spec"]["metadata"], json!({"theirs": 1}));
        let stale = write_identity(&store.client(), &id, &resource(), &client_id, Some(&version)).await;
        assert!(matches!(stale, Err(CallError::Conflict { .. })), "a version that is gone: {stale:?}");
        let twice = write_identity(&store.client(), &id, &resource(), &client_id, None).await;
        assert!(matches!(twice, Err(CallError::Conflict { .. })), "{twice:?}");
    }

    #[tokio::test]
    async fn an_updated_exception_has_the_new_labels_only() {
        let (store, id) = (Store::default(), ObjectRef::new("shop", "e"));
        let path = format!("{GROUP}/azurepodidentityexceptions/e");
        let (old, new) = (labels::parse(["a=1 b=2"]).unwrap(), labels::parse(["b=3 c=4"]).unwrap());
        write_exception(&store.client(), &id, &old, None).await.unwrap();
        let version = store.get(&path).unwrap()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        write_exception(&store.client(), &id, &new, Some((&version, &old))).await.unwrap();
        assert_eq!(store.get(&path).unwrap()["spec"], json!({"podLabels": {"b": "3", "c": "4"}}));
    }

    #[tokio::test]
    async fn only_the_object_that_was_read_is_deleted() {
        let (store, id) = (Store::default(), ObjectRef::new("shop", "app"));
        let path = format!("{GROUP}/azureidentitybindings/app");
        write_binding(&store.client(), &id, "app", "web", None).await.unwrap();
        let other = delete_binding(&store.client(), &id, &Uid::new("another")).await;
        assert!(matches!(other, Err(CallError::Conflict { .. })), "{other:?}");
        let uid = Uid::new(store.get(&path).unwrap()["metadata"]["uid"].as_str().unwrap());
        delete_binding(&store.client(), &id, &uid).await.unwrap();
        assert_eq!(store.get(&path), None);
        delete_binding(&store.client(), &id, &uid).await.unwrap();
    }

    #[tokio::test]
    async fn a_namespace_that_somebody_makes_meanwhile_will_do() {
        let store = Store::default();
        create_namespace(&store.client(), "shop").await.unwrap();
        create_namespace(&store.client(), "shop").await.unwrap();
        assert_eq!(store.get("/api/v1/namespaces/shop").unwrap()["metadata"]["labels"][MARK.0], MARK.1);
    }
}
