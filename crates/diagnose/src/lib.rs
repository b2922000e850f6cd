//! Why does this pod get no token, and what mends it?
//!
//! The chain is walked by `podid_core`, with the code that MIC and NMI decide with; here the cluster and
//! Azure are asked, and the answer is told.

mod azure;
mod doctor;
pub mod explain;
mod pod;
mod why;

use std::collections::BTreeMap;

use podid_azure::cloud::AllowedAuthorities;
use podid_core::chain::{Index, Question, Scene, cluster, walk};
use podid_core::facts::IdentityKind;
use podid_core::ids::ObjectRef;
use podid_core::request::Selector;
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::scene::{POLICIES, Wanted, family, scene};

pub use doctor::Checkup;
pub use pod::{BadName, Named};
pub use why::Answer;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pod, or what should have made it, does not exist.
    #[error("{kind} {id} does not exist; {hint}")]
    Absent {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        id: ObjectRef,
        /// Where to look.
        hint: String,
    },
    /// Nothing was made yet by what should have made it.
    #[error("{kind} {id} has no pods; kubectl describe {} {} -n {} says why", kind.to_ascii_lowercase(), id.name, id.namespace)]
    Childless {
        /// What was looked at.
        kind: &'static str,
        /// Its name.
        id: ObjectRef,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Finds out why a pod gets no token.
///
/// Azure is asked if `with_azure`, in the name of whoever is logged in.
pub async fn why(
    client: &Client,
    named: &Named,
    selector: Selector,
    with_azure: bool,
) -> Result<Answer, Error> {
    let id = find(client, named).await?;
    let scene = Box::pin(scene(client, &Wanted::These(vec![id.clone()])))
        .await
        .map_err(|error| absent(named, error))?;
    let scene = with_authorities(scene);
    let scene = if with_azure { azure::look(scene, std::slice::from_ref(&id)).await } else { scene };
    let question = Question { pod: id, selector };
    let chain = walk(&Index::new(&scene), &question).ok_or_else(|| gone(named))?;
    Ok(Answer::new(chain))
}

/// Looks at the whole cluster.
///
/// Azure is asked if `with_azure`, in the name of whoever is logged in.
pub async fn doctor(client: &Client, with_azure: bool) -> Result<Checkup, CallError> {
    let scene = with_authorities(Box::pin(scene(client, &Wanted::All)).await?);
    let scene = if with_azure {
        let labelled = scene.pods.iter().filter(|pod| pod.fact.selector().is_some() && pod.fact.is_live());
        let pods: Vec<_> = labelled.map(|pod| pod.fact.id.clone()).collect();
        azure::look(scene, &pods).await
    } else {
        scene
    };
    let index = Index::new(&scene);
    let health = cluster::look(&index, &POLICIES);
    let labelled = scene.pods.iter().filter(|pod| pod.fact.selector().is_some() && pod.fact.is_live());
    let chains = labelled
        .filter_map(|pod| walk(&index, &Question { pod: pod.fact.id.clone(), selector: Selector::Any }));
    let pods_unseen = (!scene.all_pods).then(|| "you may not list pods".to_owned());
    Ok(Checkup::new(health, chains.collect(), pods_unseen))
}

async fn find(client: &Client, named: &Named) -> Result<ObjectRef, Error> {
    let Some(kept_by) = named.family else { return Ok(named.id.clone()) };
    let pods = family(client, kept_by, &named.id).await.map_err(|error| absent(named, error))?;
    let first = pods.into_iter().next();
    first.ok_or_else(|| Error::Childless { kind: named.kind(), id: named.id.clone() })
}

fn absent(named: &Named, error: CallError) -> Error {
    match error {
        CallError::Absent { .. } => gone(named),
        other => other.into(),
    }
}

fn gone(named: &Named) -> Error {
    let namespace = &named.id.namespace;
    let plural = named.kind().to_ascii_lowercase() + "s";
    Error::Absent {
        kind: named.kind(),
        id: named.id.clone(),
        hint: format!("see kubectl get {plural} -n {namespace}, or name another namespace with -n"),
    }
}

/// Adds which authorities NMI would not ask.
fn with_authorities(mut scene: Scene) -> Scene {
    let allowed = AllowedAuthorities::with(Index::new(&scene).allowed_authorities());
    let named = scene.identities.list().iter().filter_map(|one| match &one.fact.kind {
        Ok(IdentityKind::ServicePrincipal { authority: Some(authority), .. }) => Some(authority),
        _ => None,
    });
    let refused = named.filter_map(|text| Some((text.clone(), allowed.check(text).err()?.to_string())));
    scene.refused_authorities = refused.collect::<BTreeMap<_, _>>();
    scene
}

#[cfg(test)]
mod tests;
