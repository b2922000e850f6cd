//! What does the cluster have?

use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client, Resource, ResourceExt};
use podid_core::addon::{Cluster, Held, MARK, Place};
use podid_core::facts::{Assignment, Exception, Node};

use super::LIMIT;
use crate::call::{CallError, bounded};
use crate::crd::{AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException};
use crate::facts;
use crate::survey::pages;

/// The label of a node that names its operating system.
const OS: &str = "kubernetes.io/os";

/// The identities, bindings and assignments of all namespaces, and how `namespace` stands.
pub async fn cluster(client: &Client, namespace: &str) -> Result<(Cluster, Vec<Assignment>), CallError> {
    let (place, identities, bindings, assignments) = tokio::try_join!(
        place(client, namespace),
        pages::all(Api::<AzureIdentity>::all(client.clone()), "list azureidentities", |object| {
            Some(held(object, facts::identity(object).ok()?))
        }),
        pages::all(
            Api::<AzureIdentityBinding>::all(client.clone()),
            "list azureidentitybindings",
            |object| { Some(held(object, facts::binding(object).ok()?)) }
        ),
        pages::all(
            Api::<AzureAssignedIdentity>::all(client.clone()),
            "list azureassignedidentities",
            |object| facts::assignment(object).ok()
        ),
    )?;
    Ok((Cluster { place, identities, bindings }, assignments))
}

/// The exceptions of all namespaces, and how `namespace` stands.
pub async fn exceptions(
    client: &Client,
    namespace: &str,
) -> Result<(Place, Vec<Held<Exception>>), CallError> {
    let api = Api::<AzurePodIdentityException>::all(client.clone());
    let read = |object: &AzurePodIdentityException| Some(held(object, facts::exception(object).ok()?));
    tokio::try_join!(place(client, namespace), pages::all(api, "list azurepodidentityexceptions", read))
}

/// The nodes that may run pods with an identity: those of Linux.
pub async fn nodes(client: &Client) -> Result<Vec<Node>, CallError> {
    let api = Api::<core::Node>::all(client.clone());
    pages::all(api, "list nodes", |node| {
        let is_linux = node.labels().get(OS).is_none_or(|system| system == "linux");
        facts::node(node).ok().filter(|_| is_linux)
    })
    .await
}

async fn place(client: &Client, namespace: &str) -> Result<Place, CallError> {
    if namespace.is_empty() {
        return Ok(Place::Active);
    }
    let api = Api::<core::Namespace>::all(client.clone());
    let found = bounded(|| format!("read namespace {namespace}"), LIMIT, api.get_opt(namespace)).await;
    Ok(match found {
        // Who may not see namespaces is taken at their word.
        Err(CallError::Forbidden { .. }) => return Ok(Place::Active),
        Err(error) => return Err(error),
        Ok(None) => Place::Absent,
        Ok(Some(found)) if found.meta().deletion_timestamp.is_some() => Place::Terminating,
        Ok(Some(_)) => Place::Active,
    })
}

fn held<T>(object: &impl Resource, fact: T) -> Held<T> {
    let metadata = object.meta();
    let (key, value) = MARK;
    Held {
        fact,
        ours: object.labels().get(key).is_some_and(|found| found == value),
        terminating: metadata.deletion_timestamp.is_some(),
        version: metadata.resource_version.as_deref().unwrap_or_default().into(),
    }
}
