//! What does an assignment count for?

use super::*;

#[test]
fn w53_only_assignments_that_mic_may_have_written_count() {
    let mut foreign = assigned("a");
    foreign.assignment.id.namespace = "evil".into();
    let mut own = assigned("a");
    own.assignment.id.namespace = "shop".into();
    assert_eq!(standard(&Known::of(vec![foreign]), &Selector::Any, 100), "wait 40");
    assert_eq!(standard(&Known::of(vec![own]), &Selector::Any, 100), "serve shop/a of 1");
}

#[test]
fn w53_an_assignment_gives_nothing_that_no_binding_gives_now() {
    type Change = fn(&mut Known);
    let changes: [(&str, Change); 6] = [
        ("no binding", |known| known.bindings.clear()),
        ("no identity", |known| known.identities.clear()),
        ("neither", |known| (known.bindings, known.identities) = (vec![], vec![])),
        ("other label", |known| known.bindings[0].selector = "old".into()),
        ("other identity", |known| known.bindings[0].identity = "b".into()),
        ("invalid", |known| known.identities[0].kind = Err(InvalidIdentity::Type(7))),
    ];
    for (name, change) in changes {
        let mut known = Known::of(vec![assigned("a")]);
        change(&mut known);
        assert_eq!(standard(&known, &Selector::Any, 100), "refuse 400", "{name}");
        assert_eq!(standard(&known, &client("a"), 100), "refuse 400", "{name}");
    }
}

#[test]
fn w53_the_copy_of_an_assignment_is_never_what_a_token_is_for() {
    let live = identity("shop", "a");
    let forged = Identity { kind: identity("shop", "kubelet").kind, ..live.clone() };
    let mut known = Known::of(vec![held(forged, binding("shop", "a", "a"), AssignmentState::Assigned)]);
    known.identities = vec![live.clone()];
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Serve(choice) = answer(&known, caller, &Selector::Any, &terms(Mode::Standard), at(0)) else {
        panic!("the specs are said to be the same");
    };
    assert_eq!(*choice.identity, live);
    assert_eq!(standard(&known, &client("kubelet"), 100), "refuse 400");
}

#[test]
fn w53_an_assignment_of_another_version_of_its_identity_is_waited_for_and_named() {
    let mut known = Known::of(vec![assigned("a")]);
    known.identities[0].spec_hash += 1;
    assert_eq!(standard(&known, &Selector::Any, 100_000), "wait 50");
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Without(Without::Wait(wait)) =
        answer(&known, caller, &Selector::Any, &terms(Mode::Standard), at(100))
    else {
        panic!("served by a record of something else");
    };
    for part in ["AzureAssignedIdentity default/web-0-shop-a", "AzureIdentity shop/a", "shop/web-0"] {
        assert!(wait.refusal.text.contains(part), "{}", wait.refusal.text);
    }
}

#[test]
fn an_identity_that_was_recreated_as_it_was_needs_no_new_assignment() {
    let mut known = Known::of(vec![assigned("a")]);
    known.identities[0].uid = Uid::new("another");
    known.bindings[0].uid = Uid::new("another");
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
}

#[test]
fn an_assignment_of_another_pod_node_or_life_does_not_count() {
    type Change = fn(&mut Assignment);
    let changes: [(&str, Change); 5] = [
        ("other pod", |aai| aai.pod = ObjectRef::new("shop", "web-1")),
        ("same name elsewhere", |aai| aai.pod = ObjectRef::new("other", "web-0")),
        ("other node", |aai| aai.node = NodeName::new("node-2")),
        ("going", |aai| aai.terminating = true),
        ("gone", |aai| aai.state = AssignmentState::Unassigned),
    ];
    for (name, change) in changes {
        let mut known = Known::of(vec![assigned("a")]);
        change(&mut known.held[0].assignment);
        assert_eq!(standard(&known, &Selector::Any, 100), "wait 40", "{name}");
    }
}
