//! How do the definitions in a cluster become ours?
//!
//! Helm installs definitions and never upgrades them, so podid does: by server-side apply, which
//! takes over what kubectl, Helm or the original wrote. A definition of a later podid is left alone
//! unless the caller insists: an older schema would prune fields that stored objects have.

mod difference;

use std::time::Duration;

pub use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::call::{CallError, bounded};
use crate::crd::{REVISION, REVISION_ANNOTATION};

/// Who we are to the API server as the owner of fields.
pub const FIELD_MANAGER: &str = "podid";

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Time between two looks at a definition that is not served yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a definition in the cluster is not ours now; one variant per reaction.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// A call failed.
    #[error(transparent)]
    Call(CallError),
    /// The user lacks a right; a cluster administrator has it.
    #[error("{what}: {problem}; a cluster administrator may define custom resources")]
    Forbidden {
        /// What was tried.
        what: String,
        /// The server's words.
        problem: String,
    },
    /// A later podid wrote the definition.
    #[error(
        "{name} in the cluster has version {live} of podid's definitions, this podid has {ours}; \
         use the newer podid, or --force to go back (fields that only the newer one knows are lost \
         when objects are written)"
    )]
    Newer {
        /// Name of the definition.
        name: String,
        /// Its version in the cluster.
        live: u32,
        /// Our version.
        ours: u32,
    },
    /// Somebody deletes the definition, which ends all objects of its kind.
    #[error(
        "{name} is being deleted, and objects of it that have finalizers hold that up: look at \
         kubectl get {name} --all-namespaces, let them go, and apply again when the definition is gone"
    )]
    Going {
        /// Name of the definition.
        name: String,
    },
    /// The API server took the definition but does not serve it.
    #[error("{name} is not served after {waited:?}: {problem}; see kubectl describe crd {name}")]
    NotEstablished {
        /// Name of the definition.
        name: String,
        /// How long we waited.
        waited: Duration,
        /// What its conditions say.
        problem: String,
    },
    /// A definition cannot be read as JSON; a defect of podid.
    #[error("definition {0} cannot be written as JSON")]
    Unwritable(String),
}

/// How an apply is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Ask the API server what would come of it, and change nothing.
    pub dry_run: bool,
    /// Replace a definition of a later podid, too.
    pub force: bool,
}

/// What came of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was different.
    Configured,
    /// It is as it was.
    Unchanged,
}

/// A definition in the cluster before and after an apply, as JSON without what the API server notes
/// about it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Name of the definition.
    pub name: String,
    /// What was there, if anything.
    pub before: Option<Value>,
    /// What is there now, or would be.
    pub after: Value,
}

/// Applies one definition, without waiting until it is served.
pub async fn apply(
    client: &Client,
    crd: &CustomResourceDefinition,
    wish: Wish,
) -> Result<Applied, DefinitionError> {
    let name = crd.metadata.name.clone().unwrap_or_default();
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let read = bounded(|| format!("read definition {name}"), LIMIT, api.get_opt(&name)).await?;
    if read.as_ref().is_some_and(|crd| crd.metadata.deletion_timestamp.is_some()) {
        return Err(DefinitionError::Going { name });
    }
    if let Some(live) = read.as_ref().and_then(revision).filter(|live| *live > REVISION && !wish.force) {
        return Err(DefinitionError::Newer { name, live, ours: REVISION });
    }
    let params = PatchParams { dry_run: wish.dry_run, ..PatchParams::apply(FIELD_MANAGER).force() };
    let patch = Patch::Apply(crd);
    let call = api.patch(&name, &params, &patch);
    let after = bounded(|| format!("apply definition {name}"), LIMIT, call).await?;
    let before = read.as_ref().map(|read| plain(&name, read)).transpose()?;
    Ok(Applied { before, after: plain(&name, &after)?, name })
}

/// Waits until the definition `name` is served, at most `limit`.
pub async fn established(client: &Client, name: &str, limit: Duration) -> Result<(), DefinitionError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let end = tokio::time::Instant::now() + limit;
    loop {
        let read = bounded(|| format!("read definition {name}"), LIMIT, api.get(name)).await?;
        let Some(problem) = unserved(&read) else { return Ok(()) };
        if tokio::time::Instant::now() >= end {
            return Err(DefinitionError::NotEstablished { name: name.to_owned(), waited: limit, problem });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Why a definition is not served; none if it is.
fn unserved(crd: &CustomResourceDefinition) -> Option<String> {
    let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    if conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True") {
        return None;
    }
    let refused = conditions.iter().find(|condition| condition.status == "False");
    let said = refused.and_then(|condition| condition.message.clone());
    Some(said.unwrap_or_else(|| "the API server has not looked at it yet".to_owned()))
}

/// Which revision of podid's definitions this is; none if podid did not write it.
pub(crate) fn revision(crd: &CustomResourceDefinition) -> Option<u32> {
    crd.metadata.annotations.as_ref()?.get(REVISION_ANNOTATION)?.parse().ok()
}

/// Without what the API server notes about an object: who wrote it, when, and what it makes of it.
fn plain(name: &str, crd: &CustomResourceDefinition) -> Result<Value, DefinitionError> {
    let mut json = serde_json::to_value(crd).map_err(|_| DefinitionError::Unwritable(name.to_owned()))?;
    if let Some(object) = json.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
        for noted in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.remove(noted);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    Ok(json)
}

// === impl Applied ===

impl Applied {
    /// What the apply did.
    pub fn outcome(&self) -> Outcome {
        match &self.before {
            None => Outcome::Created,
            Some(before) if *before == self.after => Outcome::Unchanged,
            Some(_) => Outcome::Configured,
        }
    }
}

// === impl Outcome ===

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        })
    }
}

// === impl DefinitionError ===

impl From<CallError> for DefinitionError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Forbidden { what, problem } => Self::Forbidden { what, problem },
            other => Self::Call(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value)] // `json!` in place reads better than a reference to it.
    use serde_json::json;

    use super::*;

    fn crd(metadata: Value, conditions: Value) -> CustomResourceDefinition {
        let mut crd = serde_json::to_value(crate::crd::definition::<crate::crd::AzureIdentity>()).unwrap();
        crd["metadata"] = metadata;
        crd["status"] = json!({"conditions": conditions});
        serde_json::from_value(crd).unwrap()
    }

    #[test]
    fn a_definition_is_served_when_it_is_established_and_else_its_condition_says_why() {
        let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "message": format!("{kind} is {status}")});
        let cases = [
            (json!([condition("NamesAccepted", "True"), condition("Established", "True")]), None),
            (json!([condition("Established", "True"), condition("Terminating", "False")]), None),
            (
                json!([condition("NamesAccepted", "False"), condition("Established", "False")]),
                Some("NamesAccepted is False"),
            ),
            (json!([condition("NamesAccepted", "True")]), Some("the API server has not looked at it yet")),
            (json!([]), Some("the API server has not looked at it yet")),
        ];
        for (conditions, expected) in cases {
            let found = unserved(&crd(json!({"name": "x"}), conditions.clone()));
            assert_eq!(found.as_deref(), expected, "{conditions}");
        }
    }

    #[tokio::test]
    async fn a_definition_that_is_being_deleted_is_neither_as_it_was_nor_written() {
        const PATH: &str =
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/azureidentities.aadpodidentity.k8s.io";
        let ours = crate::crd::definition::<crate::crd::AzureIdentity>();
        let mut going = serde_json::to_value(&ours).unwrap();
        going["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
        let store = crate::testing::Store::default();
        store.put(PATH, going);
        for wish in [Wish::default(), Wish { dry_run: true, force: true }] {
            let error = apply(&store.client(), &ours, wish).await.unwrap_err();
            assert!(matches!(error, DefinitionError::Going { .. }), "{error}");
            assert!(
                error.to_string().contains("kubectl get azureidentities.aadpodidentity.k8s.io"),
                "{error}"
            );
        }
        assert!(store.calls().iter().all(|call| call.starts_with("GET ")), "{:?}", store.calls());
    }

    #[test]
    fn a_revision_is_a_whole_number_in_our_annotation_and_nothing_else() {
        for (value, expected) in [("2", Some(2)), ("2.1", None), ("", None), ("-1", None)] {
            let found = revision(&crd(json!({"annotations": {REVISION_ANNOTATION: value}}), json!([])));
            assert_eq!(found, expected, "{value:?}");
        }
        assert_eq!(revision(&crd(json!({"name": "x"}), json!([]))), None);
    }

    #[test]
    fn what_the_api_server_and_kubectl_note_is_no_difference() {
        let noted = json!({
            "name": "x", "uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-11-24T10:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
        });
        let before = plain("x", &crd(noted, json!([{"type": "Established", "status": "True"}]))).unwrap();
        let after = plain("x", &crd(json!({"name": "x", "annotations": {"a": "b"}}), json!([]))).unwrap();
        let applied = Applied { name: "x".to_owned(), before: Some(before), after };
        assert_eq!(applied.outcome(), Outcome::Unchanged);
    }
}
