//! When is an identity put on VMs and scale sets: when a pod there needs it, or before?

use crate::facts::{Binding, Identity};
use crate::ids::{IdentityResourceId, ObjectRef};

/// When identities are put on VMs and scale sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// When a pod there needs them, and off again with the last such pod (the original's way).
    #[default]
    PerUse,
    /// As soon as a binding names them, on every VM and scale set of the cluster's nodes, as the AKS
    /// add-on did: no pod ever waits for ARM, and every node carries every identity.
    AllNodes,
}

// === impl Strategy ===

impl Strategy {
    /// The identity that `binding` wants everywhere, if it wants one; `identity` looks up the one it names.
    pub fn everywhere<'a>(
        self,
        binding: &Binding,
        identity: impl Fn(&ObjectRef) -> Option<&'a Identity>,
    ) -> Option<&'a IdentityResourceId> {
        match self {
            Self::PerUse => None,
            Self::AllNodes => identity(&binding.identity_id())?.resource_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{binding, managed, principal};

    #[test]
    fn only_a_bound_managed_identity_is_wanted_everywhere_and_only_where_that_is_the_strategy() {
        let identities = [managed("ns", "a"), principal("ns", "sp"), managed("other", "b")];
        let lookup = |id: &ObjectRef| identities.iter().find(|identity| identity.id == *id);
        let of = |strategy: Strategy, name: &str| {
            strategy.everywhere(&binding("ns", "x", name, "app"), lookup).map(IdentityResourceId::name)
        };
        assert_eq!(of(Strategy::AllNodes, "a"), Some("a"));
        assert_eq!(of(Strategy::AllNodes, "sp"), None, "a service principal needs nothing from ARM");
        assert_eq!(of(Strategy::AllNodes, "b"), None, "an identity lies in its binding's namespace");
        assert_eq!(of(Strategy::PerUse, "a"), None);
    }
}
