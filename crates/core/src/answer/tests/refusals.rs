//! What does a caller read who gets no token?

use super::*;
use crate::refusal::Cause;

#[test]
fn another_identity_than_the_pods_own_is_refused_by_name() {
    let known = Known {
        held: vec![assigned("a")],
        bindings: vec![binding("shop", "a", "a")],
        identities: vec![identity("shop", "a")],
        ..Known::default()
    };
    let pod = pod();
    for mode in [Mode::Standard, Mode::Managed] {
        let caller = Caller { pod: &pod, settled: at(0) };
        let Answer::Without(Without::Refuse(refusal)) =
            answer(&known, caller, &client("other"), &terms(mode), at(100))
        else {
            panic!("{mode:?} gave a foreign identity");
        };
        assert!(refusal.text.contains("AzureIdentity shop/a"), "{}", refusal.text);
    }
}

#[test]
fn w05_identities_that_are_all_filtered_away_are_a_refusal() {
    let mut elsewhere = held(identity("other", "a"), binding("other", "a", "a"), AssignmentState::Assigned);
    let wide = terms(Mode::Standard);
    let narrow = Terms { matching: Matching::Namespaced, ..terms(Mode::Standard) };
    let known = |held: &Held| Known::of(vec![held.clone()]);
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &wide, 100), "serve other/a of 1");
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &narrow, 100), "refuse 400");
    elsewhere.assignment.identity.namespaced = true;
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &wide, 100), "refuse 400");
}

#[test]
fn a_refusal_does_not_tell_what_other_namespaces_hold() {
    let known = Known {
        bindings: vec![binding("secret-project", "hidden", "x")],
        identities: vec![identity("secret-project", "x")],
        ..Known::default()
    };
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Without(Without::Refuse(refusal)) =
        answer(&known, caller, &Selector::Any, &terms(Mode::Managed), at(100))
    else {
        panic!("matched over namespaces");
    };
    assert!(!refusal.text.contains("hidden") && !refusal.text.contains("secret-project"), "{}", refusal.text);
}

#[test]
fn each_thing_that_somebody_may_do_about_it_has_a_word_of_its_own() {
    let bound = || Known::of(vec![assigned("a")]);
    let narrow = |known: Known| Known {
        identities: known.identities.into_iter().map(|id| Identity { namespaced: true, ..id }).collect(),
        ..known
    };
    let elsewhere = held(identity("other", "a"), binding("other", "a", "a"), AssignmentState::Assigned);
    let cases = [
        (Known::default(), "app", Selector::Any, Cause::NoBinding),
        (bound(), "", Selector::Any, Cause::NoLabel),
        (narrow(Known::of(vec![elsewhere])), "app", Selector::Any, Cause::OtherNamespace),
        (Known { identities: vec![], ..bound() }, "app", Selector::Any, Cause::IdentityMissing),
        (bound(), "app", client("b"), Cause::NotGranted),
        (Known { held: vec![], ..bound() }, "app", Selector::Any, Cause::NotAssigned),
        (Known::of(vec![created("a")]), "app", Selector::Any, Cause::Assigning),
        (
            Known {
                identities: vec![Identity { kind: Err(InvalidIdentity::Type(9)), ..identity("shop", "a") }],
                ..bound()
            },
            "app",
            Selector::Any,
            Cause::IdentityInvalid,
        ),
        (
            Known { identities: vec![Identity { spec_hash: 2, ..identity("shop", "a") }], ..bound() },
            "app",
            Selector::Any,
            Cause::AssignmentOutdated,
        ),
    ];
    for (known, label, selector, wanted) in cases {
        let pod = Pod { labels: [("aadpodidbinding".into(), label.into())].into(), ..pod() };
        let caller = Caller { pod: &pod, settled: at(0) };
        let answer = answer(&known, caller, &selector, &terms(Mode::Standard), at(100));
        let Answer::Without(Without::Refuse(refusal) | Without::Wait(Wait { refusal, .. })) = answer else {
            panic!("{wanted:?}: a token");
        };
        assert_eq!(refusal.cause, wanted);
        assert!(
            refusal.description().ends_with(&format!(" (podid explain {})", wanted.code())),
            "{refusal:?}"
        );
    }
}
