//! What is remembered and whom a change concerns.

use podid_core::facts::{POD_LABEL, Phase};
use podid_core::ids::Uid;

use super::*;

fn pod(name: &str, node: &str, label: Option<&str>) -> Happening {
    Happening::Pod(Change::Applied(Arc::new(Pod {
        id: ObjectRef::new("ns", name),
        uid: Uid::new(name),
        node: Some(NodeName::new(node)),
        labels: label.map(|label| (POD_LABEL.into(), label.into())).into_iter().collect(),
        addresses: Vec::new(),
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: None,
    })))
}

fn node(name: &str) -> Happening {
    let id = ComputeId::virtual_machine("s", "g", name);
    let node = Node { name: NodeName::new(name), provider_id: format!("azure://{id}").into() };
    Happening::Node(Change::Applied(Arc::new(node)))
}

fn pod_gone(name: &str) -> Happening {
    Happening::Pod(Change::Gone(ObjectRef::new("ns", name)))
}

fn is_placed(facts: &Facts, node: &str) -> bool {
    matches!(facts.place(&NodeName::new(node)), Place::On(_))
}

#[test]
fn a_deleted_node_is_remembered_as_long_as_something_is_on_it() {
    let mut facts = Facts::new(Matching::ClusterWide);
    facts.learn(node("n"));
    facts.learn(pod("p", "n", Some("app")));
    facts.learn(Happening::Node(Change::Gone(NodeName::new("n"))));
    assert!(is_placed(&facts, "n"));
    facts.learn(pod("p", "n", Some("other")));
    assert!(is_placed(&facts, "n"), "an edit is no departure");
    facts.learn(pod_gone("p"));
    assert!(!is_placed(&facts, "n"));
}

/// W-25.
#[test]
fn a_pod_without_the_label_takes_no_room_and_one_that_loses_it_is_planned_once_more() {
    let mut facts = Facts::new(Matching::ClusterWide);
    assert_eq!(facts.learn(pod("p", "n", None)), []);
    assert!(facts.all_pods().is_empty());
    facts.learn(pod("p", "n", Some("app")));
    assert_eq!(facts.learn(pod("p", "n", None)), [ObjectRef::new("ns", "p")]);
    assert!(facts.all_pods().is_empty());
}

#[test]
fn a_node_event_concerns_its_pods_and_only_if_it_moved() {
    let mut facts = Facts::new(Matching::ClusterWide);
    facts.learn(pod("p", "n", Some("app")));
    facts.learn(pod("q", "other", Some("app")));
    assert_eq!(facts.learn(node("n")), [ObjectRef::new("ns", "p")]);
    assert_eq!(facts.learn(node("n")), []);
}

#[test]
fn a_node_that_lacks_its_provider_id_for_a_moment_has_not_moved() {
    let bare = || {
        Happening::Node(Change::Applied(Arc::new(Node { name: NodeName::new("n"), provider_id: "".into() })))
    };
    let mut facts = Facts::new(Matching::ClusterWide);
    facts.learn(pod("p", "n", Some("app")));
    facts.learn(node("n"));
    assert_eq!(facts.learn(bare()), []);
    assert!(is_placed(&facts, "n"));
    facts.learn(Happening::Node(Change::Gone(NodeName::new("n"))));
    facts.learn(bare());
    assert!(is_placed(&facts, "n"), "its pod is still there");
}
