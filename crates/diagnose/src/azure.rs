//! What does Azure say of identities, and of the machines that pods are on?
//!
//! A help, not a need: where nobody is logged in, or who is may not look, the chain says so and goes on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use podid_azure::arm::resource;
use podid_azure::arm::{Arm, Error as ArmError};
use podid_azure::http::{Client as HttpClient, Settings};
use podid_azure::login;
use podid_core::chain::{AzureIdentity, Index, Machine, Scene, Seen};
use podid_core::ids::{ComputeId, IdentityResourceId, ObjectRef};

/// Chooses where credentials are looked for, as in Azure's SDKs.
const CHOICE: &str = "AZURE_TOKEN_CREDENTIALS";

/// Credentials that people have on their machines. A managed identity is tried only if it is asked for: where there is
/// none, IMDS does not say so, and the search would wait for it.
const USUAL: [&str; 3] = ["EnvironmentCredential", "WorkloadIdentityCredential", "AzureCliCredential"];

/// How long Azure may take in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Adds what Azure says about the identities and machines of `pods`.
pub(crate) async fn look(mut scene: Scene, pods: &[ObjectRef]) -> Scene {
    let (machines, identities) = wanted(&scene, pods);
    if identities.is_empty() {
        return scene;
    }
    let asking = async {
        let arm = log_in().await?;
        for target in machines {
            let seen = machine(&arm, &target).await;
            scene.machines.insert(target, seen);
        }
        for id in identities {
            let seen = identity(&arm, &id).await;
            scene.managed.insert(id, seen);
        }
        Ok(())
    };
    let asked: Result<Result<(), String>, _> = tokio::time::timeout(PATIENCE, asking).await;
    scene.azure_unseen = match asked {
        Ok(Ok(())) => scene.azure_unseen,
        Ok(Err(why)) => Arc::from(why),
        Err(_) => Arc::from(format!("Azure did not answer within {} s", PATIENCE.as_secs())),
    };
    scene
}

/// What the chains of `pods` lead to in Azure.
fn wanted(scene: &Scene, pods: &[ObjectRef]) -> (BTreeSet<ComputeId>, BTreeSet<IdentityResourceId>) {
    let index = Index::new(scene);
    let (mut machines, mut identities) = (BTreeSet::new(), BTreeSet::new());
    for pod in pods.iter().filter_map(|id| index.pod(id)) {
        let ids = index.resources(pod);
        if !ids.is_empty() {
            machines.extend(index.target(pod));
            identities.extend(ids);
        }
    }
    (machines, identities)
}

async fn log_in() -> Result<Arm, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let cloud = login::cloud(None, variable).map_err(|error| error.to_string())?;
    let http = HttpClient::new(Settings::new(concat!("podid-diagnose/", env!("CARGO_PKG_VERSION"))));
    let chosen = variable(CHOICE).filter(|choice| !choice.trim().is_empty());
    let choices = chosen.map_or_else(|| USUAL.map(str::to_owned).to_vec(), |choice| vec![choice]);
    for choice in choices {
        let with = |name: &str| if name == CHOICE { Some(choice.clone()) } else { variable(name) };
        match login::find(&http, &cloud, with).await {
            Ok(account) => return Ok(Arm::new(http, &cloud, account.credential)),
            Err(login::Error::Nobody(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("nobody is logged in to Azure; az login, or the variables of a service principal, let this be looked at".to_owned())
}

async fn machine(arm: &Arm, target: &ComputeId) -> Seen<Option<Machine>> {
    match arm.identities(target).await {
        Ok(reading) => {
            Seen::Known(Some(Machine { identities: reading.present.identities.into_keys().collect() }))
        }
        Err(ArmError::NotFound { .. }) => Seen::Known(None),
        Err(ArmError::Denied { .. }) => {
            Seen::Unseen(format!("whoever is logged in may not read {target}").into())
        }
        Err(error) => Seen::Unseen(error.to_string().into()),
    }
}

async fn identity(arm: &Arm, id: &IdentityResourceId) -> Seen<Option<AzureIdentity>> {
    match arm.user_assigned(id).await {
        Ok(found) => Seen::Known(Some(AzureIdentity { client_id: Some(found.client_id) })),
        Err(resource::Error::NotFound { .. }) => Seen::Known(None),
        Err(error) => Seen::Unseen(error.to_string().into()),
    }
}
