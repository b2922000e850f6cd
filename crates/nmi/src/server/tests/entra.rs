//! Which of Entra's answers does a pod wait for, and which end it?

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use podid_azure::entra;
use podid_core::answer::{Choice, Mode, Protected, Terms};
use podid_core::ids::NodeName;
use podid_core::refusal::Refusal;
use podid_core::select::Matching;

use super::stage::{binding, pod, service_principal};
use crate::source::{Error, Failed, Setback, setback};

/// What a pod is told, and whether it is held before.
fn told(error: entra::Error) -> (Refusal, bool) {
    let terms = Terms {
        mode: Mode::Managed,
        matching: Matching::Namespaced,
        node: NodeName::new("node-1"),
        protected: Protected::default(),
        hold_unknown: Duration::from_secs(50),
        hold_under_way: Duration::from_secs(50),
    };
    let identity = service_principal("shop", "web", None);
    let binding = binding("shop", "web", "web");
    let choice = Choice { identity: &identity, binding: &binding, assigned: None, others: 0 };
    let failed = Failed::Source { error: Arc::new(Error::Entra(error)), retry_after: Duration::from_secs(1) };
    let pod = pod("shop", "web", "10.0.0.1");
    match setback(&failed, choice, &pod, "https://vault.azure.net", &terms, Timestamp::UNIX_EPOCH) {
        Setback::Again(wait, _) => (wait.refusal, true),
        Setback::Final(refusal) => (refusal, false),
    }
}

#[test]
fn trouble_of_entra_is_waited_for_and_then_asked_again() {
    let (refusal, held) =
        told(entra::Error::Unavailable { reason: "status 503".to_owned(), retry_after: None });
    assert_eq!((refusal.status, refusal.retry_after.is_some(), held), (503, true, true));
    assert!(refusal.text.contains("AzureIdentity shop/web"), "{}", refusal.text);
}

#[test]
fn throttling_by_entra_is_passed_on_with_its_time() {
    let (refusal, held) = told(entra::Error::Throttled { retry_after: Some(Duration::from_secs(77)) });
    assert_eq!((refusal.status, refusal.retry_after, held), (429, Some(77), true));
}

#[test]
fn what_entra_refuses_by_a_number_is_final_and_says_whom_and_what_to_correct() {
    for (status, number, hint) in [
        (401, 7_000_215, "; the client secret is wrong"),
        (400, 700_016, "; the application is not in this tenant"),
        (400, 500_011, "; the resource is not known in this tenant"),
    ] {
        let code = format!("invalid_client (AADSTS{number})");
        let (refusal, held) = told(entra::Error::Refused { status, code: code.clone(), hint });
        assert_eq!((refusal.status, refusal.retry_after, held), (400, None, false), "{number}");
        for part in [&*code, hint, "AzureIdentity shop/web", "https://vault.azure.net", "its Secret"] {
            assert!(refusal.text.contains(part), "{part}: {}", refusal.text);
        }
    }
}

#[test]
fn a_credential_that_cannot_sign_is_final() {
    let (refusal, held) = told(entra::Error::Proof("the certificate is empty".to_owned()));
    assert_eq!((refusal.status, held), (400, false));
}
