//! What is in a cluster where the original is installed?
//!
//! Reads everything that [`podid_core::adopt`] asks for, page by page, and changes nothing. What the
//! caller may not read is left out and named; a server that does not answer ends it.

pub(crate) mod pages;
pub(crate) mod read;
pub(crate) mod workload;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use podid_core::adopt::{Cluster, Record, Scope, Secret, Workload};
use podid_core::desired::DEFAULT_NAMESPACE;
use podid_core::ids::ObjectRef;

use crate::call::{CallError, bounded};
use crate::{facts, lookup};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A cluster, and what of it could not be read.
#[derive(Debug, Default)]
pub struct Survey {
    /// What was seen.
    pub cluster: Cluster,
    /// What was not, a line each.
    pub unseen: Vec<String>,
}

/// Looks at all namespaces, or at those of `scope`.
///
/// Controllers and agents are looked for everywhere, and records in `default` too, where they are
/// kept. Fails if the API server does not answer at all.
pub async fn survey(client: &Client, scope: Scope) -> Result<Survey, CallError> {
    bounded(|| "ask for the API server's version".to_owned(), LIMIT, client.apiserver_version()).await?;
    if let Scope::Namespaces(names) = &scope {
        for name in names {
            exists(client, name).await?;
        }
    }
    let (pods, identities, bindings, exceptions, records, workloads) = tokio::join!(
        pages::within(client, &scope, "pods", read::pod),
        pages::within(client, &scope, "azureidentities", read::identity),
        pages::within(client, &scope, "azureidentitybindings", |object| facts::binding(object).ok()),
        pages::within(client, &scope, "azurepodidentityexceptions", |object| facts::exception(object).ok()),
        records(client, &scope),
        workloads(client),
    );
    let mut survey = Survey::default();
    survey.cluster.pods = survey.keep(pods);
    survey.cluster.identities = survey.keep(identities);
    survey.cluster.bindings = survey.keep(bindings);
    survey.cluster.exceptions = survey.keep(exceptions);
    survey.cluster.records = survey.keep(records);
    survey.cluster.workloads = survey.keep(workloads);
    survey.cluster.scope = scope;
    survey.secrets(client).await;
    Ok(survey)
}

/// Fails if the namespace `name` does not exist; who may not see namespaces is taken at their word.
async fn exists(client: &Client, name: &str) -> Result<(), CallError> {
    let api: Api<Namespace> = Api::all(client.clone());
    match bounded(|| format!("look at namespace {name}"), LIMIT, api.get(name)).await {
        Err(error @ CallError::Absent { .. }) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Records of pods in `scope`.
async fn records(client: &Client, scope: &Scope) -> Result<Vec<Record>, CallError> {
    let everywhere = match scope {
        Scope::All => Scope::All,
        Scope::Namespaces(names) => {
            Scope::Namespaces(names.iter().cloned().chain([DEFAULT_NAMESPACE.into()]).collect())
        }
    };
    let mut found = pages::within(client, &everywhere, "azureassignedidentities", read::record).await?;
    found.retain(|record| record.pod.as_ref().is_none_or(|pod| scope.contains(&pod.namespace)));
    Ok(found)
}

/// Controllers and agents of all namespaces.
pub(crate) async fn workloads(client: &Client) -> Result<Vec<Workload>, CallError> {
    let (deployments, daemon_sets) = tokio::join!(
        pages::all(Api::<Deployment>::all(client.clone()), "list deployments", workload::deployment),
        pages::all(Api::<DaemonSet>::all(client.clone()), "list daemonsets", workload::daemon_set),
    );
    // In this order, so that the same cluster is always told in the same words.
    Ok(deployments?.into_iter().chain(daemon_sets?).collect())
}

// === impl Survey ===

impl Survey {
    fn keep<T>(&mut self, read: Result<T, CallError>) -> Option<T> {
        read.map_err(|error| self.unseen.push(explain(&error))).ok()
    }

    /// Reads the keys of the Secrets that service principals name, once each.
    async fn secrets(&mut self, client: &Client) {
        let named = self.cluster.identities().iter().filter(|identity| identity.type_ != 0);
        let mut wanted: Vec<ObjectRef> = named.filter_map(|identity| identity.secret.clone()).collect();
        wanted.sort();
        wanted.dedup();
        let mut secrets = BTreeMap::new();
        for id in wanted {
            match lookup::secret(client, &id, LIMIT).await {
                Ok(secret) => {
                    let keys = secret.entries.keys().map(|key| key.as_str().into()).collect();
                    secrets.insert(id, Some(Secret { keys }));
                }
                Err(CallError::Absent { .. }) => {
                    secrets.insert(id, None);
                }
                Err(error) => self.unseen.push(explain(&error)),
            }
        }
        self.cluster.secrets = secrets;
    }
}

/// One line for a person who looks: the words for a service account would mislead.
pub(crate) fn explain(error: &CallError) -> String {
    match error {
        CallError::Forbidden { what, .. } => {
            format!("{what}: you may not; ask for the right, or look at your own namespaces with -n")
        }
        other => other.to_string(),
    }
}
