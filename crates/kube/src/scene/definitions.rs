//! Are the custom resources defined, and as this podid defines them?

use kube::{Api, Client};
use podid_core::chain::{Definition, DefinitionState, Seen};

use super::{LIMIT, unseen};
use crate::call::{CallError, bounded};
use crate::client::{NotReady, require_crds};
use crate::crd::{self, GROUP, REVISION, STANDARD};
use crate::definitions::{CustomResourceDefinition, revision};

/// Compares all definitions; who may not see definitions still sees what the API server serves.
pub(super) async fn look(client: &Client) -> Seen<Vec<Definition>> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut found = Vec::new();
    for ours in crd::definitions() {
        let name = ours.metadata.name.unwrap_or_default();
        let state = match bounded(|| format!("read definition {name}"), LIMIT, api.get(&name)).await {
            Ok(live) => compare(&live),
            Err(CallError::Absent { .. }) => DefinitionState::Missing,
            Err(CallError::Forbidden { .. }) => return served(client).await,
            Err(error) => return unseen(&error),
        };
        found.push(Definition { name: name.into(), state });
    }
    Seen::Known(found)
}

fn compare(live: &CustomResourceDefinition) -> DefinitionState {
    match revision(live) {
        Some(revision) if revision >= REVISION => DefinitionState::Current,
        _ => DefinitionState::Older,
    }
}

async fn served(client: &Client) -> Seen<Vec<Definition>> {
    let mut found = Vec::new();
    for plural in STANDARD {
        let state = match require_crds(client, &[plural]).await {
            Ok(()) => DefinitionState::Current,
            Err(NotReady::Undefined(_)) => DefinitionState::Missing,
            Err(NotReady::Call(error)) => return unseen(&error),
        };
        found.push(Definition { name: format!("{plural}.{GROUP}").into(), state });
    }
    Seen::Known(found)
}
