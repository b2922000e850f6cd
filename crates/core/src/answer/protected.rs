//! Which identities must no pod have, whatever is bound to it?
//!
//! The kubelet's identity and the cluster's own lie on every node: whoever may write an `AzureIdentity` and
//! its binding could otherwise have them.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::may_mean;
use crate::facts::{Identity, Pod};
use crate::ids::{ClientId, IdentityResourceId, InvalidId};
use crate::refusal::{Cause, Refusal};
use crate::request::Selector;
use crate::select::{Grant, Selection};

/// Identities that are never given to a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    clients: BTreeSet<ClientId>,
    resources: BTreeSet<IdentityResourceId>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectedId {
    /// By its client id.
    Client(ClientId),
    /// By its resource id.
    Resource(IdentityResourceId),
}

// === impl ProtectedId ===

impl FromStr for ProtectedId {
    type Err = InvalidId;

    /// A resource id, which begins with a slash, or a client id.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.trim_start().starts_with('/') {
            IdentityResourceId::parse(text).map(Self::Resource)
        } else {
            ClientId::parse(text).map(Self::Client)
        }
    }
}

// === impl Protected ===

impl FromIterator<ProtectedId> for Protected {
    fn from_iter<I: IntoIterator<Item = ProtectedId>>(ids: I) -> Self {
        let mut protected = Self::default();
        for id in ids {
            match id {
                ProtectedId::Client(id) => drop(protected.clients.insert(id)),
                ProtectedId::Resource(id) => drop(protected.resources.insert(id)),
            }
        }
        protected
    }
}

impl Protected {
    /// Whether `identity` is one of them. One of its ids is enough: a token is given only where IMDS says
    /// that both belong together (W-04).
    pub fn covers(&self, identity: &Identity) -> bool {
        let Ok(kind) = &identity.kind else { return false };
        self.clients.contains(kind.client_id())
            || kind.resource_id().is_some_and(|id| self.resources.contains(id))
    }

    /// Takes the grants of protected identities out of `selection`.
    pub(super) fn withhold<'a>(&self, selection: &mut Selection<'a>) -> Vec<Grant<'a>> {
        if self.clients.is_empty() && self.resources.is_empty() {
            return Vec::new();
        }
        selection.grants.extract_if(.., |grant| self.covers(grant.identity)).collect()
    }
}

/// What a pod reads that means one of those that were withheld from it; none if it may mean another.
pub(super) fn refusal(
    withheld: &[Grant<'_>],
    selection: &Selection<'_>,
    selector: &Selector,
    pod: &Pod,
) -> Option<Refusal> {
    if selection.grants.iter().any(|grant| may_mean(selector, grant.identity)) {
        return None;
    }
    let meant = withheld.iter().find(|grant| may_mean(selector, grant.identity));
    let only = || withheld.first().filter(|_| selection.grants.is_empty());
    let Grant { binding, identity } = meant.or_else(only)?;
    Some(Refusal::forbidden(
        Cause::IdentityProtected,
        format!(
            "AzureIdentityBinding {} gives AzureIdentity {} to pod {}, but no pod may have it \
             (--protected-identity of NMI). Bind another identity.",
            binding.id, identity.id, pod.id
        ),
    ))
}
