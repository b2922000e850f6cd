//! Which identities may this pod use, and why not the others?
//!
//! The rule of the original (peer contract §2.5 step 4 and §4.5): a binding matches when its
//! selector equals the pod's label value; the identity it names lies in the binding's namespace;
//! where matching is namespaced, all three namespaces must be the same.

use crate::facts::{Binding, Identity, InvalidIdentity, Pod};
use crate::ids::ObjectRef;

/// How far matching reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Bindings of any namespace match (the original's default).
    ClusterWide,
    /// Only bindings and identities of the pod's namespace match.
    Namespaced,
}

/// A binding that matched, with the identity that it grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The binding.
    pub binding: &'a Binding,
    /// The identity it names.
    pub identity: &'a Identity,
}

/// Why a binding whose selector matched grants nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The identity that it names does not exist (yet).
    IdentityMissing(ObjectRef),
    /// Matching is namespaced, by flag or annotation, and the namespaces differ.
    OtherNamespace,
    /// The identity's spec cannot be used.
    IdentityInvalid(InvalidIdentity),
}

/// What selection found for one pod. Both lists begin with bindings of the pod's own namespace, so that nobody
/// elsewhere decides what a pod gets that names no identity, and are sorted by the binding's namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// What the pod may use.
    pub grants: Vec<Grant<'a>>,
    /// Bindings that matched and grant nothing, and why.
    pub refused: Vec<(&'a Binding, Reason)>,
}

/// Selects among `bindings` (an index by selector may already have narrowed them) for `pod`.
pub fn select<'a>(
    pod: &Pod,
    bindings: impl IntoIterator<Item = &'a Binding>,
    identity: impl Fn(&ObjectRef) -> Option<&'a Identity>,
    matching: Matching,
) -> Selection<'a> {
    let mut selection = Selection::default();
    let Some(label) = pod.selector() else { return selection };
    for binding in bindings {
        if &*binding.selector != label {
            continue;
        }
        match judge(pod, binding, &identity, matching) {
            Ok(grant) => selection.grants.push(grant),
            Err(reason) => selection.refused.push((binding, reason)),
        }
    }
    let order = |binding: &Binding| (binding.id.namespace != pod.id.namespace, binding.id.clone());
    selection.grants.sort_by_cached_key(|grant| order(grant.binding));
    selection.refused.sort_by_cached_key(|(binding, _)| order(binding));
    selection
}

fn judge<'a>(
    pod: &Pod,
    binding: &'a Binding,
    identity: &impl Fn(&ObjectRef) -> Option<&'a Identity>,
    matching: Matching,
) -> Result<Grant<'a>, Reason> {
    let same_namespace = binding.id.namespace == pod.id.namespace;
    if matching == Matching::Namespaced && !same_namespace {
        return Err(Reason::OtherNamespace);
    }
    let wanted = binding.identity_id();
    let identity = identity(&wanted).ok_or(Reason::IdentityMissing(wanted))?;
    if identity.namespaced && !same_namespace {
        return Err(Reason::OtherNamespace);
    }
    match &identity.kind {
        Ok(_) => Ok(Grant { binding, identity }),
        Err(invalid) => Err(Reason::IdentityInvalid(invalid.clone())),
    }
}

#[cfg(test)]
mod tests;
