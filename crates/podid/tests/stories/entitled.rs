//! Does nobody get a token that was not granted, and does everybody learn why?

use serde_json::json;

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually, holds_a_token};
use crate::server::{Server, on_both_servers};

on_both_servers!(
    a_request_that_is_not_one_is_refused_at_once_and_never_reaches_imds,
    a_pod_of_another_namespace_does_not_get_what_the_cache_holds,
    a_malformed_identity_is_refused_with_its_field_and_others_go_on,
    an_excepted_pod_reaches_imds_itself_until_the_exception_is_gone,
);

fn a_request_that_is_not_one_is_refused_at_once_and_never_reaches_imds(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    let path = "/metadata/identity/oauth2/token";
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
    let refused: &[(&str, &[&str])] = &[
        (TOKEN, &[]),
        (TOKEN, &["Metadata: false"]),
        (TOKEN, &[METADATA, "X-Forwarded-For: 10.0.0.1"]),
        (path, &[METADATA]),
        (&format!("{path}?{query}&resource=https%3A%2F%2Fmanagement.azure.com"), &[METADATA]),
        (&format!("/metadata/identity/oauth2%2Ftoken?{query}"), &[METADATA]),
        (&format!("/metadata//identity/oauth2/token?{query}"), &[METADATA]),
        (&format!("/metadata/identity/x/../oauth2/token?{query}"), &[METADATA]),
        (&format!("/metadata/identity\\oauth2\\token?{query}"), &[METADATA]),
    ];
    for (target, headers) in refused {
        let answer = lab.ask(NAMESPACE, "app", target, headers);
        assert!(answer.starts_with("HTTP/1.1 400"), "{target} {headers:?}: {answer}");
        assert!(answer.contains("\"error_description\""), "{answer}");
    }
    assert!(lab.lines_with("IMDS ").is_empty(), "{:?}", lab.lines_with("IMDS "));
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.stop();
}

fn a_pod_of_another_namespace_does_not_get_what_the_cache_holds(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
    lab.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other", "labels": {"podid.dev/lab": "true"}}})).unwrap();
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    lab.pod("other", "thief", "app");
    let asked = format!("{TOKEN}&client_id={}", lab.variable("IDENTITY_CLIENT_ID"));
    assert!(lab.ask(NAMESPACE, "app", &asked, &[METADATA]).starts_with("HTTP/1.1 200"));
    // Within a minute of the pod's start a binding might still come, so the call is held; after that the refusal is
    // final. No API server changes that, so the end is waited for on one.
    if on == Server::Real {
        assert!(lab.holds("other", "thief", &asked, &[METADATA]), "the call was answered");
    } else {
        eventually("the pod is refused for good", || {
            let answer = lab.ask("other", "thief", &asked, &[METADATA]);
            assert!(!answer.starts_with("HTTP/1.1 200") && !holds_a_token(&answer), "a token came along");
            answer.starts_with("HTTP/1.1 400")
        });
    }
    lab.stop();
}

fn a_malformed_identity_is_refused_with_its_field_and_others_go_on(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
    let bad = lab.create(&json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
        "metadata": {"name": "bad", "namespace": NAMESPACE},
        "spec": {"type": 0, "resourceID": "not-an-id", "clientID": "c"},
    }));
    assert!(bad.unwrap_err().to_string().contains("resourceID"));
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.stop();
}

fn an_excepted_pod_reaches_imds_itself_until_the_exception_is_gone(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
    let exception = json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException",
        "metadata": {"name": "tools", "namespace": NAMESPACE}, "spec": {"podLabels": {"aadpodidbinding": "tool"}},
    });
    lab.create(&exception).unwrap();
    lab.pod(NAMESPACE, "tool", "tool");
    let asked = format!("{TOKEN}&client_id={}", lab.own_identity().1);
    eventually("the pod is passed through", || {
        lab.ask(NAMESPACE, "tool", &asked, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    lab.delete(&exception, None);
    // No binding names it, so from now on its calls are held instead.
    eventually("the pod is a pod like any other", || lab.holds(NAMESPACE, "tool", &asked, &[METADATA]));
    lab.stop();
}
