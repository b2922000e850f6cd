//! Which assignments should exist?
//!
//! One for each identity that a scheduled, live pod may use, once per pod and identity. An
//! assignment is told from others by its pod and its identity ([`Key`]), never by its name, because
//! names are ambiguous (W-12): pod `a` in namespace `b-c` and pod `a-b` in namespace `c` would share
//! one. So a record keeps the name it has, and only a new record needs one ([`name`]).

use std::collections::HashSet;

use crate::facts::{Assignment, Binding, Identity, Pod};
use crate::ids::{IdentityResourceId, NodeName, ObjectRef};
use crate::select::{Grant, Matching, Reason, select};

/// Where records are kept unless matching is namespaced (peer contract §1.4).
pub const DEFAULT_NAMESPACE: &str = "default";

/// The longest name that the API server accepts.
const NAME_LIMIT: usize = 253;

/// What makes two assignments the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The pod.
    pub pod: ObjectRef,
    /// The `AzureIdentity`.
    pub identity: ObjectRef,
}

/// An assignment that should exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desired<'a> {
    /// The pod that needs it.
    pub pod: &'a Pod,
    /// The node that the pod is on.
    pub node: &'a NodeName,
    /// The identity, and the binding that grants it.
    pub grant: Grant<'a>,
}

/// What is desired for one pod, in the order of bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The assignments that should exist.
    pub desired: Vec<Desired<'a>>,
    /// Bindings that match the pod and grant nothing, and why.
    pub refused: Vec<(&'a Binding, Reason)>,
}

/// Decides which assignments `pod` should have; arguments as for [`select`].
///
/// A pod that waits for a node has none yet, a finished one none any more (W-36); a terminating one
/// keeps its own until it is gone, because it may still ask for tokens.
pub fn desired<'a>(
    pod: &'a Pod,
    bindings: impl IntoIterator<Item = &'a Binding>,
    identity: impl Fn(&ObjectRef) -> Option<&'a Identity>,
    matching: Matching,
) -> Verdict<'a> {
    let Some(node) = pod.node.as_ref().filter(|_| pod.is_live()) else { return Verdict::default() };
    let selection = select(pod, bindings, identity, matching);
    let mut seen = HashSet::new();
    let grants = selection.grants.into_iter().filter(|grant| seen.insert(&grant.identity.id));
    Verdict {
        desired: grants.map(|grant| Desired { pod, node, grant }).collect(),
        refused: selection.refused,
    }
}

/// The namespace that the record of `identity` belongs in: `default`, or the identity's own where
/// matching is namespaced, by flag or by the identity's annotation.
pub fn home(identity: &Identity, matching: Matching) -> &str {
    if matching == Matching::Namespaced || identity.namespaced {
        &identity.id.namespace
    } else {
        DEFAULT_NAMESPACE
    }
}

/// Whether a record of `identity` may lie in `namespace`: both places where MIC writes, now or before
/// somebody changed how matching reaches. NMI trusts the same two (W-53).
pub fn is_home(namespace: &str, identity: &Identity) -> bool {
    namespace == DEFAULT_NAMESPACE || *namespace == *identity.id.namespace
}

/// Namespace and name for the new record of `wanted`.
///
/// The original's name `<pod>-<namespace>-<identity>`, or, where that is too long or `taken` by
/// another assignment, as much of it as fits and a hash of the key, which is always the same for it.
pub fn name(wanted: &Desired<'_>, matching: Matching, taken: impl Fn(&ObjectRef) -> bool) -> ObjectRef {
    let key = wanted.key();
    let namespace = home(wanted.grant.identity, matching);
    let plain = format!("{}-{}-{}", key.pod.name, key.pod.namespace, key.identity.name);
    if plain.len() <= NAME_LIMIT {
        let id = ObjectRef::new(namespace, plain.as_str());
        if !taken(&id) {
            return id;
        }
    }
    let suffix = format!("-{:016x}", key.hash());
    let fits: String = plain.chars().take(NAME_LIMIT - suffix.len()).collect();
    ObjectRef::new(namespace, fits.trim_end_matches(['-', '.']).to_owned() + &suffix)
}

// === impl Key ===

impl Key {
    /// The key of a record.
    pub fn of(record: &Assignment) -> Self {
        Self { pod: record.pod.clone(), identity: record.identity.id.clone() }
    }

    /// FNV-1a over the four names, which may not contain the separator: the same in every process
    /// and version, as a name must be.
    fn hash(&self) -> u64 {
        let names = [&self.pod.namespace, &self.pod.name, &self.identity.namespace, &self.identity.name];
        let bytes = names.into_iter().flat_map(|name| name.bytes().chain([b'/']));
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

// === impl Desired ===

impl<'a> Desired<'a> {
    /// The pod and identity that it is for.
    pub fn key(&self) -> Key {
        Key { pod: self.pod.id.clone(), identity: self.grant.identity.id.clone() }
    }

    /// What must be on the node's VM or scale set; none for a service principal.
    pub fn resource_id(&self) -> Option<&'a IdentityResourceId> {
        self.grant.identity.resource_id()
    }
}

#[cfg(test)]
pub(crate) mod fixtures;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::*;
    use crate::facts::Phase;

    fn keys(pod: &Pod, bindings: &[Binding], identities: &[Identity], matching: Matching) -> Vec<String> {
        let lookup = |id: &ObjectRef| identities.iter().find(|identity| identity.id == *id);
        let verdict = desired(pod, bindings, lookup, matching);
        verdict.desired.iter().map(|wanted| wanted.grant.identity.id.to_string()).collect()
    }

    #[test]
    fn a_pod_gets_every_identity_that_is_bound_to_its_label() {
        let identities = [managed("ns", "a"), managed("ns", "b"), managed("ns", "c")];
        let bindings =
            [binding("ns", "1", "b", "app"), binding("ns", "0", "a", "app"), binding("ns", "2", "c", "x")];
        let found = keys(&pod("ns", "p", "app", Some("n")), &bindings, &identities, Matching::ClusterWide);
        assert_eq!(found, ["ns/a", "ns/b"]);
    }

    #[test]
    fn two_bindings_to_one_identity_give_one_assignment() {
        let identities = [managed("ns", "a")];
        let bindings = [binding("ns", "0", "a", "app"), binding("ns", "1", "a", "app")];
        assert_eq!(
            keys(&pod("ns", "p", "app", Some("n")), &bindings, &identities, Matching::ClusterWide),
            ["ns/a"]
        );
    }

    #[test]
    fn a_pod_without_node_or_finished_has_none_and_a_terminating_one_keeps_its_own() {
        let (identities, bindings) = ([managed("ns", "a")], [binding("ns", "0", "a", "app")]);
        let of = |pod: &Pod| keys(pod, &bindings, &identities, Matching::ClusterWide).len();
        assert_eq!(of(&pod("ns", "p", "app", None)), 0);
        assert_eq!(of(&Pod { phase: Phase::Finished, ..pod("ns", "p", "app", Some("n")) }), 0);
        assert_eq!(of(&Pod { terminating: true, ..pod("ns", "p", "app", Some("n")) }), 1);
        assert_eq!(of(&Pod { phase: Phase::Pending, ..pod("ns", "p", "app", Some("n")) }), 1);
    }

    #[test]
    fn a_service_principal_is_recorded_and_needs_nothing_from_arm() {
        let (identities, bindings) = ([principal("ns", "sp")], [binding("ns", "0", "sp", "app")]);
        let pod = pod("ns", "p", "app", Some("n"));
        let verdict =
            desired(&pod, &bindings, |id| identities.iter().find(|i| i.id == *id), Matching::ClusterWide);
        assert_eq!(verdict.desired.len(), 1);
        assert_eq!(verdict.desired[0].resource_id(), None);
    }

    fn name_of(pod: &Pod, identity: &Identity, matching: Matching, taken: &[ObjectRef]) -> ObjectRef {
        let binding = binding(&identity.id.namespace, "b", &identity.id.name, "app");
        let wanted =
            Desired { pod, node: pod.node.as_ref().unwrap(), grant: Grant { binding: &binding, identity } };
        name(&wanted, matching, |id| taken.contains(id))
    }

    #[test]
    fn a_record_is_named_as_by_the_original_and_lies_in_default() {
        let name = name_of(
            &pod("ns", "web-0", "app", Some("n")),
            &managed("ids", "app"),
            Matching::ClusterWide,
            &[],
        );
        assert_eq!(name, ObjectRef::new("default", "web-0-ns-app"));
    }

    #[test]
    fn a_namespaced_record_lies_with_its_identity() {
        let pod = pod("ns", "p", "app", Some("n"));
        let annotated = Identity { namespaced: true, ..managed("ns", "a") };
        assert_eq!(&*name_of(&pod, &annotated, Matching::ClusterWide, &[]).namespace, "ns");
        assert_eq!(&*name_of(&pod, &managed("ns", "a"), Matching::Namespaced, &[]).namespace, "ns");
    }

    #[test]
    fn w12_an_ambiguous_name_gets_a_stable_suffix() {
        let identity = managed("ids", "app");
        let first = name_of(&pod("b-c", "a", "app", Some("n")), &identity, Matching::ClusterWide, &[]);
        let other = pod("c", "a-b", "app", Some("n"));
        assert_eq!(name_of(&other, &identity, Matching::ClusterWide, &[]), first);
        let second = name_of(&other, &identity, Matching::ClusterWide, &[first]);
        assert_eq!(&*second.name, "a-b-c-app-6df932faf73d8639");
    }

    #[test]
    fn w12_a_name_that_is_too_long_is_cut_where_it_stays_valid() {
        let long = "x".repeat(235) + ".y";
        let name = name_of(
            &pod("ns", &long, "app", Some("n")),
            &managed("ids", "application"),
            Matching::ClusterWide,
            &[],
        );
        assert!(name.name.len() <= NAME_LIMIT, "{}", name.name.len());
        assert!(name.name.starts_with(&"x".repeat(235)));
        assert!(!name.name.contains(".-") && !name.name.contains("--"), "{name}");
    }
}
