//! Which steps take a pod identity away, and what stays?
//!
//! In the opposite order: the binding first, so that no pod gets a token any more, then the nodes, and the
//! identity last, so that a run that was interrupted finds what it was about.

use std::fmt;

use super::{Cluster, OnNodes, Refusal, Step};
use crate::facts::Identity;
use crate::ids::{ComputeId, ComputeKind, IdentityResourceId, ObjectRef};
use crate::role::MANAGED_IDENTITY_OPERATOR;

/// What has to be done, and what stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What a person may want to take away by hand.
    pub left: Vec<Left>,
}

/// Something that stays, with the reason and the command that takes it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The namespace, which may have other things in it.
    Namespace(ObjectRef),
    /// The role of the cluster's identity, which others may need.
    Role(IdentityResourceId),
    /// A binding that somebody else made; it names an identity that is gone.
    Binding(ObjectRef),
    /// Another pod identity needs it there.
    Needed {
        /// The VM or scale set.
        target: ComputeId,
        /// The identity.
        resource: IdentityResourceId,
        /// Who needs it.
        by: ObjectRef,
    },
    /// It was on the nodes before podid.
    Found {
        /// The VM or scale set.
        target: ComputeId,
        /// The identity.
        resource: IdentityResourceId,
    },
}

/// Says why `id` cannot be deleted, or finds it.
pub fn check<'a>(id: &ObjectRef, cluster: &'a Cluster) -> Result<Option<&'a Identity>, Refusal> {
    match cluster.identity(id) {
        Some(held) if !held.ours => {
            Err(Refusal::NotOurs { kind: "AzureIdentity", plural: "azureidentity", id: id.clone() })
        }
        Some(held) => Ok(Some(&held.fact)),
        // What a person who deleted the identity by hand left of ours.
        None if cluster.bindings_of(id).any(|held| held.ours) => Ok(None),
        None => Err(Refusal::Unknown(id.clone())),
    }
}

/// The plan, given how the identity stands with the nodes (empty where MIC takes care of that).
pub fn plan(id: &ObjectRef, cluster: &Cluster, nodes: &[(ComputeId, OnNodes)]) -> Result<Plan, Refusal> {
    let identity = check(id, cluster)?;
    let mut plan = Plan::default();
    for held in cluster.bindings_of(id) {
        let (binding, uid) = (held.fact.id.clone(), held.fact.uid.clone());
        match held.ours {
            true if held.terminating => {}
            true => plan.steps.push(Step::DeleteBinding { id: binding, uid }),
            false => plan.left.push(Left::Binding(binding)),
        }
    }
    let resource = identity.and_then(Identity::resource_id);
    if let Some(resource) = resource {
        let other = cluster.identities.iter().find(|held| {
            held.fact.id != *id && !held.terminating && held.fact.resource_id() == Some(resource)
        });
        for (target, state) in nodes {
            let (target, resource) = (target.clone(), resource.clone());
            match (state, other) {
                (OnNodes::Absent, _) => {}
                (_, Some(other)) => {
                    plan.left.push(Left::Needed { target, resource, by: other.fact.id.clone() });
                }
                (OnNodes::Found, None) => plan.left.push(Left::Found { target, resource }),
                (OnNodes::Ours | OnNodes::Stale, None) => {
                    plan.steps.push(Step::TakeOffNodes { target, resource });
                }
            }
        }
        plan.left.push(Left::Role(resource.clone()));
    }
    if let Some(identity) = identity {
        let is_going = cluster.identity(id).is_some_and(|held| held.terminating);
        if !is_going {
            plan.steps.push(Step::DeleteIdentity { id: id.clone(), uid: identity.uid.clone() });
        }
    }
    plan.left.push(Left::Namespace(id.clone()));
    Ok(plan)
}

// === impl Display ===

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(id) => {
                let name = &id.namespace;
                write!(f, "namespace {name}; if nothing needs it: kubectl delete namespace {name}")
            }
            Self::Role(resource) => write!(
                f,
                "the role {} on {}, if the cluster's identity has it; to see it: \
                 az role assignment list --scope {resource}",
                MANAGED_IDENTITY_OPERATOR.name,
                resource.name()
            ),
            Self::Binding(id) => write!(
                f,
                "AzureIdentityBinding {id}, which podid did not make; it grants nothing now: \
                 kubectl delete azureidentitybinding {} --namespace {}",
                id.name, id.namespace
            ),
            Self::Needed { target, resource, by } => {
                write!(f, "{} on {}, because pod identity {by} needs it", resource.name(), target.name())
            }
            Self::Found { target, resource } => write!(
                f,
                "{} on {}, because podid did not put it there; if nothing needs it: \
                 az {} identity remove --ids {target} --identities {resource}",
                resource.name(),
                target.name(),
                match target.kind() {
                    ComputeKind::VirtualMachine => "vm",
                    ComputeKind::ScaleSet => "vmss",
                }
            ),
        }
    }
}
