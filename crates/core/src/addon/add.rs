//! Which steps are missing until a pod identity is there?
//!
//! In this order: the role, the namespace, the identity (which from then on says that podid is at it),
//! the nodes, and the binding last, so that no pod is matched before everything it needs is there.

use super::{AzureSide, Cluster, Held, OnNodes, Place, Refusal, Step, Wanted};
use crate::facts::{Binding, Identity, IdentityKind};
use crate::ids::{ComputeId, PrincipalId};

/// What has to be done in Azure, or how it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Azure {
    /// The identity.
    pub identity: AzureSide,
    /// Who lacks the role on it; empty where all have it who need it.
    pub lack_role: Vec<PrincipalId>,
    /// Where it has to be, and whether it is; empty where MIC takes care of that.
    pub nodes: Vec<(ComputeId, OnNodes)>,
}

/// Says why `wanted` cannot be, as far as the cluster knows; Azure need not be asked for that.
pub fn check(wanted: &Wanted, cluster: &Cluster, limit: usize) -> Result<(), Refusal> {
    if cluster.place == Place::Terminating {
        return Err(Refusal::NamespaceGoing(wanted.id.namespace.clone()));
    }
    match cluster.identity(&wanted.id) {
        Some(held) => same_identity(wanted, held)?,
        None if cluster.identities.len() >= limit => {
            return Err(Refusal::Limit {
                what: "pod identities",
                there: cluster.identities.len(),
                limit,
                list: "podid list",
                flag: "--max-identities",
            });
        }
        None => {}
    }
    binding(wanted, cluster).map(drop)
}

/// The steps, given what is in Azure. None when everything is as it should be.
pub fn steps(wanted: &Wanted, cluster: &Cluster, azure: &Azure, limit: usize) -> Result<Vec<Step>, Refusal> {
    check(wanted, cluster, limit)?;
    let mut steps: Vec<Step> = azure
        .lack_role
        .iter()
        .map(|to| Step::GrantRole { to: to.clone(), on: wanted.resource.clone() })
        .collect();
    if cluster.place == Place::Absent {
        steps.push(Step::CreateNamespace { name: wanted.id.namespace.clone() });
    }
    if let Some(version) = identity(wanted, cluster, azure)? {
        let (id, resource) = (wanted.id.clone(), wanted.resource.clone());
        steps.push(Step::WriteIdentity { id, resource, client: azure.identity.client.clone(), version });
    }
    for (target, state) in &azure.nodes {
        if matches!(state, OnNodes::Absent | OnNodes::Stale) {
            let stale = *state == OnNodes::Stale;
            let (target, resource) = (target.clone(), wanted.resource.clone());
            steps.push(Step::PutOnNodes { target, resource, stale });
        }
    }
    if let Some(version) = binding(wanted, cluster)? {
        let (id, identity) = (wanted.id.clone(), wanted.id.name.clone());
        steps.push(Step::WriteBinding { id, identity, selector: wanted.selector.clone(), version });
    }
    Ok(steps)
}

type Version = Option<std::sync::Arc<str>>;

/// Whether the identity of that name may be the wanted one.
fn same_identity(wanted: &Wanted, held: &Held<Identity>) -> Result<(), Refusal> {
    let id = || wanted.id.clone();
    if held.terminating {
        return Err(Refusal::Going { kind: "AzureIdentity", id: id() });
    }
    match &held.fact.kind {
        Ok(IdentityKind::Managed { resource_id, .. }) if *resource_id == wanted.resource => Ok(()),
        Ok(IdentityKind::Managed { resource_id, .. }) => {
            Err(Refusal::OtherIdentity { id: id(), there: resource_id.to_string() })
        }
        Ok(IdentityKind::ServicePrincipal { client_id, .. }) => {
            Err(Refusal::OtherIdentity { id: id(), there: format!("service principal {client_id}") })
        }
        // Half of one that somebody wrote by hand: ours is mended, theirs is theirs.
        Err(_) if held.ours => Ok(()),
        Err(why) => Err(foreign_identity(wanted, format!("something unusable ({why})"))),
    }
}

/// Whether the identity has to be written, and over which version.
fn identity(wanted: &Wanted, cluster: &Cluster, azure: &Azure) -> Result<Option<Version>, Refusal> {
    let Some(held) = cluster.identity(&wanted.id) else { return Ok(Some(None)) };
    match &held.fact.kind {
        Ok(kind) if *kind.client_id() == azure.identity.client => Ok(None),
        Ok(kind) if !held.ours => Err(foreign_identity(wanted, format!("clientID {}", kind.client_id()))),
        _ => Ok(Some(Some(held.version.clone()))),
    }
}

fn foreign_identity(wanted: &Wanted, there: String) -> Refusal {
    let mend = format!("kubectl edit azureidentity {} --namespace {}", wanted.id.name, wanted.id.namespace);
    Refusal::Foreign { kind: "AzureIdentity", id: wanted.id.clone(), there, mend }
}

/// Whether a binding has to be written, and over which version. Any binding will do that says what is wanted,
/// also somebody else's.
fn binding(wanted: &Wanted, cluster: &Cluster) -> Result<Option<Version>, Refusal> {
    let says_it = |held: &&Held<Binding>| !held.terminating && held.fact.selector == wanted.selector;
    if cluster.bindings_of(&wanted.id).any(|held| says_it(&held)) {
        return Ok(None);
    }
    let Some(held) = cluster.bindings.iter().find(|held| held.fact.id == wanted.id) else {
        return Ok(Some(None));
    };
    let Binding { identity, selector, .. } = &held.fact;
    match (held.terminating, held.ours) {
        (true, _) => Err(Refusal::Going { kind: "AzureIdentityBinding", id: wanted.id.clone() }),
        (false, true) => Ok(Some(Some(held.version.clone()))),
        (false, false) => {
            let there = format!("azureIdentity {identity}, selector {selector}");
            let (name, namespace) = (&wanted.id.name, &wanted.id.namespace);
            let mend = format!("kubectl edit azureidentitybinding {name} --namespace {namespace}");
            Err(Refusal::Foreign { kind: "AzureIdentityBinding", id: wanted.id.clone(), there, mend })
        }
    }
}
