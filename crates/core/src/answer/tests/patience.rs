//! When is an answer "not yet", and when "never"?

use super::*;
use crate::refusal::Cause;

#[test]
fn an_assignment_under_way_is_waited_for_at_any_age_of_the_pod() {
    let known = Known::of(vec![created("a")]);
    for selector in [Selector::Any, client("a"), Selector::Principal(PrincipalId::parse("o").unwrap())] {
        assert_eq!(standard(&known, &selector, 100_000), "wait 50", "{selector:?}");
    }
    let bound = Known {
        bindings: vec![binding("shop", "a", "a")],
        identities: vec![identity("shop", "a")],
        ..Known::default()
    };
    assert_eq!(standard(&bound, &Selector::Any, 100_000), "wait 40");
}

/// W-59.
#[test]
fn a_pod_without_the_label_or_with_an_empty_one_never_gets_a_token() {
    let mut known = Known::of(vec![assigned("a")]);
    known.bindings = vec![Binding { selector: "".into(), ..binding("shop", "a", "a") }];
    known.identities = vec![identity("shop", "a")];
    for labels in [vec![], vec![("aadpodidbinding".into(), "".into())]] {
        let pod = Pod { labels: labels.into_iter().collect(), ..pod() };
        for mode in [Mode::Standard, Mode::Managed] {
            assert_eq!(ask(&known, &pod, &Selector::Any, &terms(mode), 0), "refuse 400", "W-59");
        }
    }
}

#[test]
fn what_is_missing_may_come_until_a_minute_after_the_pods_start() {
    let nothing = Known::default();
    let no_identity = Known { bindings: vec![binding("shop", "a", "a")], ..Known::default() };
    for (known, name) in [(&nothing, "no binding"), (&no_identity, "no identity")] {
        assert_eq!(standard(known, &Selector::Any, 59), "wait 40 until 60", "{name}");
        assert_eq!(standard(known, &Selector::Any, 60), "refuse 400", "{name}");
    }
    for (known, name) in [(&nothing, "no binding"), (&no_identity, "no identity")] {
        assert_eq!(managed(known, &Selector::Any, 59), "wait 40 until 60", "{name}");
        assert_eq!(managed(known, &Selector::Any, 60), "refuse 400", "{name}");
    }
}

#[test]
fn imds_may_need_five_minutes_to_hear_of_an_assignment() {
    let terms = terms(Mode::Standard);
    let identity = identity("shop", "a");
    let binding = binding("shop", "a", "a");
    let choice = |assigned| Choice { identity: &identity, binding: &binding, assigned, others: 0 };
    let words = |assigned, seconds| without(&unknown_to_imds(choice(assigned), &pod(), &terms, at(seconds)));
    assert_eq!(words(Some(at(0)), 299), "wait 50 until 300");
    assert_eq!(words(Some(at(0)), 300), "refuse 400");
    assert_eq!(words(None, 0), "refuse 400");
}

#[test]
fn who_is_not_held_shall_come_again_later_than_who_was() {
    let held = |seconds| {
        let refusal = Refusal::not_yet(Cause::NoBinding, "it");
        let wait = Wait { at_most: Duration::from_secs(seconds), until: None, refusal };
        wait.given_up().retry_after
    };
    assert_eq!([0, 14, 15, 50].map(held), [Some(20), Some(20), Some(5), Some(5)]);
    let throttled =
        Wait { at_most: Duration::ZERO, until: None, refusal: Refusal::throttled("it", Some(90)) };
    assert_eq!(throttled.given_up().retry_after, Some(90), "what upstream said is not shortened");
}
