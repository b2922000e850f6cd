//! Does a protected identity stay out of reach?

use super::*;
use crate::refusal::Cause;

fn protecting(ids: &[&str], mode: Mode) -> Terms {
    Terms { protected: ids.iter().map(|id| id.parse().unwrap()).collect(), ..terms(mode) }
}

/// The cause of the refusal, or the answer in few words.
fn asked(known: &Known, selector: &Selector, terms: &Terms) -> String {
    let pod = pod();
    match answer(known, Caller { pod: &pod, settled: at(0) }, selector, terms, at(100)) {
        Answer::Without(Without::Refuse(refusal)) => {
            let protects = refusal.cause == Cause::IdentityProtected;
            assert_eq!((refusal.status == 403, refusal.text.contains("shop/kubelet")), (protects, protects));
            refusal.cause.code().to_owned()
        }
        other => in_words(&other),
    }
}

#[test]
fn a_protected_identity_is_given_to_no_pod_however_it_is_named_and_spelled() {
    let known = Known::of(vec![assigned("kubelet")]);
    let by_resource = resource_id("KUBELET").as_str().to_ascii_uppercase();
    let selectors = [
        Selector::Any,
        client("kubelet"),
        client("other"),
        Selector::Resource(resource_id("kubelet")),
        Selector::Principal(PrincipalId::parse("oid").unwrap()),
    ];
    for mode in [Mode::Standard, Mode::Managed] {
        for id in [&*by_resource, "CLIENT-kubelet", " client-KUBELET "] {
            for selector in &selectors {
                assert_eq!(asked(&known, selector, &protecting(&[id], mode)), "identity-protected", "{id}");
            }
        }
        assert_eq!(
            asked(&known, &Selector::Any, &protecting(&["client-a"], mode)),
            "serve shop/kubelet of 1"
        );
    }
}

#[test]
fn another_identity_of_the_pod_is_served_and_waited_for_as_if_the_protected_one_were_not_there() {
    let known = Known::of(vec![assigned("kubelet"), assigned("web")]);
    let terms = protecting(&["client-kubelet"], Mode::Standard);
    let cases = [
        (Selector::Any, "serve shop/web of 1"),
        (client("web"), "serve shop/web of 1"),
        (client("kubelet"), "identity-protected"),
        (client("other"), "not-granted"),
        (Selector::Principal(PrincipalId::parse("oid").unwrap()), "find in 1 or refuse 400"),
    ];
    for (selector, wanted) in &cases {
        assert_eq!(asked(&known, selector, &terms), *wanted, "{selector:?}");
    }
    let known = Known::of(vec![assigned("kubelet"), created("web")]);
    assert_eq!(asked(&known, &Selector::Any, &terms), "wait 50");
}

#[test]
fn an_excepted_pod_asks_imds_itself() {
    let exceptions = vec![Exception {
        id: ObjectRef::new("shop", "let"),
        pod_labels: [("aadpodidbinding".into(), "app".into())].into(),
    }];
    let known = Known { exceptions, ..Known::of(vec![assigned("kubelet")]) };
    assert_eq!(asked(&known, &Selector::Any, &protecting(&["client-kubelet"], Mode::Standard)), "pass");
}

#[test]
fn what_cannot_be_an_identity_is_refused_at_the_start() {
    for text in ["", "  ", "/subscriptions/s/resourceGroups/g", "/"] {
        assert!(text.parse::<ProtectedId>().is_err(), "{text:?}");
    }
}
