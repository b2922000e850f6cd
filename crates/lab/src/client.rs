//! How does the lab speak to Kubernetes? Only through this client, whichever API server answers.
//!
//! Objects are plain JSON: the lab has no types of its own for them, and borrows none, so that a field which podid
//! names wrongly is not wrong here as well.

use std::time::Duration;

use http::Request as HttpRequest;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) use failure::Failure;
pub(crate) use follow::Seen;
pub(crate) use kind::{
    ASSIGNMENTS, CONFIG_MAPS, CRDS, ENDPOINTS, Kind, LEASES, NAMESPACES, NODES, OF_A_LAB, PODS, SECRETS,
    SERVICE_ACCOUNTS,
};

mod failure;
mod follow;
mod kind;

/// Longest time for one call.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to an API server. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Client {
    inner: kube::Client,
}

/// The objects of one collection, and the version to watch it from.
pub(crate) struct List {
    /// The objects.
    pub items: Vec<Value>,
}

// === impl Client ===

impl Client {
    /// A client as the kubeconfig says. Nothing is sent yet.
    pub(crate) async fn new(kubeconfig: Kubeconfig) -> anyhow::Result<Self> {
        let mut config =
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        // An answer such as 429 would otherwise be repeated for minutes, past our own patience.
        config.default_retry = false;
        config.connect_timeout = Some(PATIENCE);
        Ok(Self { inner: kube::Client::try_from(config)? })
    }

    /// One object.
    pub(crate) async fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Value, Failure> {
        self.call(kind.at(namespace).get(name, &kube::api::GetParams::default())).await
    }

    /// All objects of one namespace, or of all, that have the labels.
    pub(crate) async fn list(&self, kind: Kind, namespace: &str, labels: &str) -> Result<List, Failure> {
        let mut params = ListParams::default();
        if !labels.is_empty() {
            params = params.labels(labels);
        }
        let mut list: Value = self.call(kind.at(namespace).list(&params)).await?;
        let items = match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        Ok(List { items })
    }

    /// Adds an object; it says itself of which kind it is and where it belongs.
    pub(crate) async fn create(&self, object: &Value) -> Result<Value, Failure> {
        let kind = Kind::of(object)?;
        self.call(
            kind.at(text(&object["metadata"]["namespace"])).create(&PostParams::default(), bytes(object)),
        )
        .await
    }

    /// Changes the given fields of an object (a merge patch).
    pub(crate) async fn patch(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        changes: &Value,
    ) -> Result<Value, Failure> {
        let patch = Patch::Merge(changes);
        self.call(kind.at(namespace).patch(name, &PatchParams::default(), &patch)).await
    }

    /// Changes the given fields of an object's status, if it still is the object with this uid.
    pub(crate) async fn patch_status(
        &self,
        kind: Kind,
        metadata: &Value,
        status: &Value,
    ) -> Result<Value, Failure> {
        let changes = json!({"metadata": {"uid": metadata["uid"]}, "status": status});
        let (at, name) = (kind.at(text(&metadata["namespace"])), text(&metadata["name"]));
        self.call(at.patch_subresource("status", name, &PatchParams::default(), &Patch::Merge(&changes)))
            .await
    }

    /// Puts a pod on a node.
    pub(crate) async fn bind(&self, pod: &Value, node: &str) -> Result<(), Failure> {
        let metadata = &pod["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let request =
            PODS.at(namespace).create_subresource("binding", name, &PostParams::default(), bytes(&binding));
        self.call::<Value>(request).await.map(drop)
    }

    /// A token of a service account, and when it expires.
    pub(crate) async fn token(
        &self,
        namespace: &str,
        account: &str,
        life: Duration,
    ) -> Result<(String, jiff::Timestamp), Failure> {
        let wanted = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": life.as_secs()},
        });
        let at = SERVICE_ACCOUNTS.at(namespace);
        let request = at.create_subresource("token", account, &PostParams::default(), bytes(&wanted));
        let given: Value = self.call(request).await?;
        let status = &given["status"];
        let expires = text(&status["expirationTimestamp"]).parse();
        let expires =
            expires.map_err(|error| Failure::Refused(format!("a token without an end: {error}")))?;
        Ok((text(&status["token"]).to_owned(), expires))
    }

    /// Deletes an object, as it would be deleted for a person.
    pub(crate) async fn delete(&self, kind: Kind, namespace: &str, name: &str) -> Result<(), Failure> {
        let request = kind.at(namespace).delete(name, &DeleteParams::default());
        self.call::<Value>(request).await.map(drop)
    }

    /// Removes an object at once, whatever still runs, if it still is the object with this uid.
    pub(crate) async fn remove(&self, kind: Kind, metadata: &Value) -> Result<(), Failure> {
        let uid = metadata["uid"].as_str().map(str::to_owned);
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid, resource_version: None }),
            ..DeleteParams::default()
        };
        let request = kind.at(text(&metadata["namespace"])).delete(text(&metadata["name"]), &params);
        self.call::<Value>(request).await.map(drop)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        request: Result<HttpRequest<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, Failure> {
        let request = request.map_err(|error| Failure::Refused(error.to_string()))?;
        match tokio::time::timeout(PATIENCE, self.inner.request(request)).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

fn bytes(object: &Value) -> Vec<u8> {
    object.to_string().into_bytes()
}

/// The text of a field, empty if it is absent.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
