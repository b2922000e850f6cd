//! Which of a pod's identities is it?

use super::*;

#[test]
fn an_excepted_pod_passes_through_whatever_it_has() {
    let exceptions = vec![Exception {
        id: ObjectRef::new("shop", "let"),
        pod_labels: [("aadpodidbinding".into(), "APP".into())].into(),
    }];
    let known = Known { exceptions, held: vec![assigned("a")], ..Known::default() };
    assert_eq!(standard(&known, &Selector::Any, 0), "pass");
    assert_eq!(managed(&known, &client("a"), 0), "pass");
}

#[test]
fn an_assigned_identity_is_served_however_it_is_named() {
    let known = Known::of(vec![assigned("a"), assigned("b")]);
    let cases = [
        (client("b"), "serve shop/b of 1"),
        (Selector::Resource(resource_id("B")), "serve shop/b of 1"),
        (Selector::Any, "serve shop/a of 2"),
    ];
    for (selector, wanted) in cases {
        assert_eq!(standard(&known, &selector, 1000), wanted, "{selector:?}");
    }
    let principal = Selector::Principal(PrincipalId::parse("oid").unwrap());
    assert_eq!(standard(&known, &principal, 1000), "find in 2 or refuse 400");
}

#[test]
fn with_several_identities_the_choice_does_not_depend_on_order() {
    let known = Known::of(vec![assigned("b"), assigned("c"), assigned("a")]);
    assert_eq!(standard(&known, &Selector::Any, 0), "serve shop/a of 3");
    let known = Known {
        bindings: vec![binding("shop", "2", "a"), binding("shop", "1", "b")],
        identities: vec![identity("shop", "a"), identity("shop", "b")],
        ..Known::default()
    };
    assert_eq!(managed(&known, &Selector::Any, 0), "serve shop/b of 2");
}

#[test]
fn an_identity_that_is_not_ready_does_not_hold_up_one_that_is() {
    let known = Known::of(vec![created("a"), assigned("b")]);
    assert_eq!(standard(&known, &Selector::Any, 0), "serve shop/b of 1");
    assert_eq!(standard(&known, &client("a"), 0), "wait 50");
}

#[test]
fn an_identity_that_two_bindings_give_is_one() {
    let mut known = Known::of(vec![assigned("a")]);
    known.bindings.push(binding("shop", "second", "a"));
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
    assert_eq!(managed(&known, &Selector::Any, 100), "serve shop/a of 1");
    // Also where MIC wrote down the binding that is gone.
    known.bindings.remove(0);
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
}
