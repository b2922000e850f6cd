//! Cases and invariants of matching.

use proptest::prelude::*;

use super::*;
use crate::facts::{IdentityKind, Phase};
use crate::ids::{ClientId, IdentityResourceId, Uid};

const ARM_ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";

fn pod(namespace: &str, label: Option<&str>) -> Pod {
    Pod {
        id: ObjectRef::new(namespace, "web"),
        uid: Uid::new("u"),
        node: None,
        labels: label.map(|value| ("aadpodidbinding".into(), value.into())).into_iter().collect(),
        addresses: Vec::new(),
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: None,
    }
}

fn binding(namespace: &str, name: &str, identity: &str, selector: &str) -> Binding {
    Binding {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new("u"),
        spec_hash: 0,
        identity: identity.into(),
        selector: selector.into(),
    }
}

fn identity(namespace: &str, name: &str) -> Identity {
    let kind = IdentityKind::Managed {
        resource_id: IdentityResourceId::parse(ARM_ID).unwrap(),
        client_id: ClientId::parse("c").unwrap(),
    };
    Identity {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new("u"),
        spec_hash: 0,
        kind: Ok(kind),
        namespaced: false,
    }
}

/// Names of the bindings that grant, and of those that do not with their reason's first word.
fn outcome(
    pod: &Pod,
    bindings: &[Binding],
    identities: &[Identity],
    matching: Matching,
) -> (Vec<String>, Vec<String>) {
    let find = |id: &ObjectRef| identities.iter().find(|identity| identity.id == *id);
    let selection = select(pod, bindings, find, matching);
    let refused = selection.refused.iter().map(|(binding, reason)| {
        let reason = format!("{reason:?}");
        format!("{} {}", binding.id, reason.split('(').next().unwrap_or_default())
    });
    (selection.grants.iter().map(|grant| grant.binding.id.to_string()).collect(), refused.collect())
}

#[test]
fn a_binding_grants_its_own_namespaces_identity_to_pods_with_its_selector() {
    type Names = &'static [&'static str];
    use Matching::{ClusterWide, Namespaced};
    let mine = || binding("a", "one", "id", "app");
    let cases: [(&str, Pod, Binding, Identity, Matching, Names, Names); 12] = [
        ("same namespace", pod("a", Some("app")), mine(), identity("a", "id"), Namespaced, &["a/one"], &[]),
        ("other label", pod("a", Some("b")), mine(), identity("a", "id"), Namespaced, &[], &[]),
        ("label in other case", pod("a", Some("App")), mine(), identity("a", "id"), ClusterWide, &[], &[]),
        ("no label", pod("a", None), mine(), identity("a", "id"), ClusterWide, &[], &[]),
        (
            "W-59: empty label, empty selector",
            pod("a", Some("")),
            binding("a", "one", "id", ""),
            identity("a", "id"),
            ClusterWide,
            &[],
            &[],
        ),
        (
            "no label, empty selector",
            pod("a", None),
            binding("a", "one", "id", ""),
            identity("a", "id"),
            Namespaced,
            &[],
            &[],
        ),
        ("other namespace", pod("b", Some("app")), mine(), identity("a", "id"), ClusterWide, &["a/one"], &[]),
        (
            "other namespace, namespaced by flag",
            pod("b", Some("app")),
            mine(),
            identity("a", "id"),
            Namespaced,
            &[],
            &["a/one OtherNamespace"],
        ),
        (
            "other namespace, namespaced by annotation",
            pod("b", Some("app")),
            mine(),
            Identity { namespaced: true, ..identity("a", "id") },
            ClusterWide,
            &[],
            &["a/one OtherNamespace"],
        ),
        (
            "identity of the pod's namespace, not of the binding's",
            pod("b", Some("app")),
            mine(),
            identity("b", "id"),
            ClusterWide,
            &[],
            &["a/one IdentityMissing"],
        ),
        (
            "identity of another name",
            pod("a", Some("app")),
            mine(),
            identity("a", "di"),
            Namespaced,
            &[],
            &["a/one IdentityMissing"],
        ),
        (
            "identity that cannot be used",
            pod("a", Some("app")),
            mine(),
            Identity { kind: Err(InvalidIdentity::Type(9)), ..identity("a", "id") },
            ClusterWide,
            &[],
            &["a/one IdentityInvalid"],
        ),
    ];
    for (name, pod, binding, identity, matching, granted, refused) in cases {
        let (grants, refusals) = outcome(&pod, &[binding], &[identity], matching);
        assert_eq!((grants, refusals), (owned(granted), owned(refused)), "{name}");
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn one_bad_binding_does_not_spoil_the_good_ones() {
    let bindings =
        [binding("a", "2", "id", "app"), binding("a", "1", "gone", "app"), binding("a", "0", "id", "app")];
    let (grants, refused) =
        outcome(&pod("a", Some("app")), &bindings, &[identity("a", "id")], Matching::Namespaced);
    assert_eq!(grants, ["a/0", "a/2"]);
    assert_eq!(refused, ["a/1 IdentityMissing"]);
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "app"]).prop_map(str::to_owned)
}

fn world() -> impl Strategy<Value = (Vec<Binding>, Vec<Identity>)> {
    let binding =
        (name(), name(), name(), name()).prop_map(|(ns, name, id, label)| binding(&ns, &name, &id, &label));
    let identity = (name(), name(), any::<bool>())
        .prop_map(|(ns, name, namespaced)| Identity { namespaced, ..identity(&ns, &name) });
    (prop::collection::vec(binding, 0..8), prop::collection::vec(identity, 0..8))
}

#[test]
fn a_binding_of_another_namespace_never_comes_before_the_pod_s_own() {
    let bindings = [binding("evil", "a", "x", "app"), binding("shop", "z", "y", "app")];
    let identities = [identity("evil", "x"), identity("shop", "y")];
    let find = |id: &ObjectRef| identities.iter().find(|identity| identity.id == *id);
    let selection = select(&pod("shop", Some("app")), &bindings, find, Matching::ClusterWide);
    let order: Vec<_> = selection.grants.iter().map(|grant| grant.identity.id.to_string()).collect();
    assert_eq!(order, ["shop/y", "evil/x"]);
}

proptest! {
    #[test]
    fn every_grant_keeps_the_rule((bindings, identities) in world(), namespace in name(), label in name()) {
        let pod = pod(&namespace, Some(&label));
        let find = |id: &ObjectRef| identities.iter().find(|identity| identity.id == *id);
        for matching in [Matching::ClusterWide, Matching::Namespaced] {
            let selection = select(&pod, &bindings, find, matching);
            for grant in &selection.grants {
                prop_assert_eq!(&*grant.binding.selector, label.as_str());
                prop_assert_eq!(&grant.binding.id.namespace, &grant.identity.id.namespace);
                prop_assert_eq!(&grant.binding.identity, &grant.identity.id.name);
                if matching == Matching::Namespaced || grant.identity.namespaced {
                    prop_assert_eq!(&*grant.identity.id.namespace, namespace.as_str());
                }
            }
            let matched = bindings.iter().filter(|binding| *binding.selector == *label).count();
            prop_assert_eq!(selection.grants.len() + selection.refused.len(), matched);
        }
    }

    #[test]
    fn namespaced_matching_grants_nothing_more((bindings, identities) in world(), namespace in name(), label in name()) {
        let pod = pod(&namespace, Some(&label));
        let wide = outcome(&pod, &bindings, &identities, Matching::ClusterWide).0;
        let narrow = outcome(&pod, &bindings, &identities, Matching::Namespaced).0;
        prop_assert!(narrow.iter().all(|name| wide.contains(name)));
    }

    #[test]
    fn the_order_of_bindings_decides_nothing((mut bindings, identities) in world(), namespace in name(), label in name()) {
        bindings.sort_by(|a, b| a.id.cmp(&b.id));
        bindings.dedup_by(|a, b| a.id == b.id);
        let pod = pod(&namespace, Some(&label));
        let forth = outcome(&pod, &bindings, &identities, Matching::ClusterWide);
        bindings.reverse();
        prop_assert_eq!(forth, outcome(&pod, &bindings, &identities, Matching::ClusterWide));
    }
}
