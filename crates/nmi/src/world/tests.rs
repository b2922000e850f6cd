use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use podid_core::answer::View;
use podid_core::facts::{Assignment, AssignmentState, Binding, Identity, InvalidIdentity, Phase, Pod};
use podid_core::ids::{NodeName, ObjectRef, Uid};
use podid_core::select::Matching;

use super::facts::Facts;
use crate::snapshot::Owner;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn pod(name: &str, uid: &str, label: &str, addresses: &[u8]) -> Arc<Pod> {
    Arc::new(Pod {
        id: ObjectRef::new("shop", name),
        uid: Uid::new(uid),
        node: Some(NodeName::new("node-1")),
        labels: BTreeMap::from([("aadpodidbinding".into(), label.into())]),
        addresses: addresses.iter().map(|last| address(*last)).collect(),
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(at(0)),
    })
}

fn identity(name: &str) -> Identity {
    Identity {
        id: ObjectRef::new("shop", name),
        uid: Uid::new("uid"),
        spec_hash: 0,
        kind: Err(InvalidIdentity::Type(9)),
        namespaced: false,
    }
}

fn binding(name: &str, selector: &str) -> Arc<Binding> {
    Arc::new(Binding {
        id: ObjectRef::new("shop", name),
        uid: Uid::new("uid"),
        spec_hash: 0,
        identity: name.into(),
        selector: selector.into(),
    })
}

fn assignment(pod: &str, uid: &str, state: AssignmentState, created: Option<Timestamp>) -> Arc<Assignment> {
    Arc::new(Assignment {
        id: ObjectRef::new("default", "a"),
        uid: Uid::new(uid),
        pod: ObjectRef::new("shop", pod),
        node: NodeName::new("node-1"),
        identity: identity("id"),
        binding: Binding::clone(&binding("id", "app")),
        state,
        created,
        terminating: false,
    })
}

/// Name of the one pod that has the address.
fn owner(facts: &Facts, last: u8) -> Option<String> {
    match facts.snapshot(true).owner(address(last)) {
        Owner::One(resident) => Some(resident.pod.id.name.to_string()),
        Owner::Nobody | Owner::Several(_) => None,
    }
}

#[test]
fn an_address_belongs_to_whoever_has_it_now() {
    let mut facts = Facts::default();
    facts.set_pod(&pod("a", "1", "x", &[1, 6]), at(0));
    assert_eq!((owner(&facts, 1), owner(&facts, 6)), (Some("a".into()), Some("a".into())));
    facts.set_pod(&pod("a", "1", "x", &[2]), at(0));
    assert_eq!((owner(&facts, 1), owner(&facts, 2)), (None, Some("a".into())));
    facts.set_pod(&pod("b", "2", "x", &[2]), at(0));
    let both = Owner::Several(vec![ObjectRef::new("shop", "a"), ObjectRef::new("shop", "b")]);
    assert_eq!(facts.snapshot(true).owner(address(2)), both);
    facts.remove_pod(&ObjectRef::new("shop", "a"));
    assert_eq!(owner(&facts, 2), Some("b".into()));
    facts.remove_pod(&ObjectRef::new("shop", "b"));
    assert_eq!(facts.snapshot(true).owner(address(2)), Owner::Nobody);
    assert!(facts.snapshot(true).addresses.is_empty());
}

#[test]
fn a_pod_is_settled_since_its_start_or_its_last_label_change() {
    let mut facts = Facts::default();
    let settled = |facts: &Facts| match facts.snapshot(true).owner(address(1)) {
        Owner::One(resident) => resident.settled,
        other => panic!("{other:?}"),
    };
    facts.set_pod(&pod("a", "1", "x", &[1]), at(50));
    assert_eq!(settled(&facts), at(0));
    facts.set_pod(&pod("a", "1", "y", &[1]), at(100));
    assert_eq!(settled(&facts), at(100));
    facts.set_pod(&pod("a", "1", "y", &[1, 2]), at(150));
    assert_eq!(settled(&facts), at(100));
    facts.set_pod(&pod("a", "2", "z", &[1]), at(200));
    assert_eq!(settled(&facts), at(0), "another pod of the same name has its own start");
}

#[test]
fn an_assignment_is_in_its_state_since_it_was_seen_in_it() {
    use AssignmentState::{Assigned, Created};
    let since = |facts: &Facts| {
        let pod = ObjectRef::new("shop", "web");
        facts.snapshot(true).assignments(&pod).map(|held| held.since).next().unwrap()
    };
    let mut facts = Facts::default();
    facts.set_assignment(&assignment("web", "1", Assigned, Some(at(-1000))), true, at(0));
    assert_eq!(since(&facts), at(-1000), "it was there before us");
    facts.set_assignment(&assignment("web", "1", Created, Some(at(-1000))), false, at(10));
    assert_eq!(since(&facts), at(10));
    facts.set_assignment(&assignment("web", "1", Created, Some(at(-1000))), false, at(20));
    assert_eq!(since(&facts), at(10));
    facts.set_assignment(&assignment("web", "2", Created, Some(at(30))), false, at(30));
    assert_eq!(since(&facts), at(30), "another one of the same name");
}

#[test]
fn an_assignment_that_names_another_pod_leaves_the_first() {
    let mut facts = Facts::default();
    let count =
        |facts: &Facts, pod: &str| facts.snapshot(true).assignments(&ObjectRef::new("shop", pod)).count();
    facts.set_assignment(&assignment("a", "1", AssignmentState::Assigned, None), false, at(0));
    facts.set_assignment(&assignment("b", "1", AssignmentState::Assigned, None), false, at(0));
    assert_eq!((count(&facts, "a"), count(&facts, "b")), (0, 1));
    facts.remove_assignment(&ObjectRef::new("default", "a"));
    assert_eq!(count(&facts, "b"), 0);
}

#[test]
fn a_binding_follows_its_selector() {
    let mut facts = Facts::default();
    let app = pod("a", "1", "app", &[1]);
    let selected = |facts: &Facts| facts.snapshot(true).selection(&app, Matching::Namespaced).refused.len();
    facts.set_binding(binding("b", "other"));
    assert_eq!(selected(&facts), 0);
    facts.set_binding(binding("b", "app"));
    assert_eq!(selected(&facts), 1);
    facts.remove_binding(&ObjectRef::new("shop", "b"));
    assert_eq!(selected(&facts), 0);
}

/// W-28.
#[test]
fn a_published_snapshot_does_not_change() {
    let mut facts = Facts::default();
    facts.set_pod(&pod("a", "1", "x", &[1]), at(0));
    let before = facts.snapshot(true);
    facts.remove_pod(&ObjectRef::new("shop", "a"));
    assert!(matches!(before.owner(address(1)), Owner::One(_)));
}
