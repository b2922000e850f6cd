//! What is answered before anyone looks up a pod.

use super::stage::{METADATA, Stage, TOKEN, VAULT};
use podid_core::answer::Mode;

/// An address that no pod has: whoever looks it up waits.
const NOBODY: &str = "10.9.9.9";

#[tokio::test(start_paused = true)]
async fn a_probe_without_the_header_is_answered_at_once_whatever_the_state() {
    let stage = Stage::starting(Mode::Standard, |_| {}).await;
    let probes = [
        format!("{TOKEN}?api-version=2018-02-01&{VAULT}&client_id=c"), // python, js-2020, .NET
        TOKEN.to_owned(),                                              // js, go
        format!("{TOKEN}?api-version=2018-02-01"),                     // java
    ];
    for probe in probes {
        let told = stage.send(NOBODY, "GET", &probe, &[]).await;
        assert_eq!((told.status, told.after.as_millis()), (400, 0), "{probe}");
        assert_eq!(
            told.body,
            r#"{"error":"invalid_request","error_description":"Required metadata header not specified"}"#
        );
    }
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_with_the_header_but_no_resource_is_answered_at_once() {
    let stage = Stage::starting(Mode::Standard, |_| {}).await;
    let told = stage.get(NOBODY, TOKEN).await; // python-2020
    assert_eq!((told.status, told.after.as_millis()), (400, 0));
    assert_eq!(told.reason(), "parameter resource cannot be empty");
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 0);
}

#[tokio::test(start_paused = true)]
async fn w42_a_forwarded_token_request_is_refused() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    let target = format!("{TOKEN}?{VAULT}");
    let told = stage.send("10.0.0.1", "GET", &target, &[METADATA, ("x-forwarded-for", "1.2.3.4")]).await;
    assert_eq!(told.status, 400);
    assert!(told.reason().contains("X-Forwarded-For"));
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn look_alike_paths_are_refused_without_a_call_to_imds_even_for_excepted_pods() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(super::stage::pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_exception(super::stage::exception("shop", "aadpodidbinding", "web"));
    stage.settle().await;
    let paths = [
        "/metadata/identity/oauth2/%74oken",
        "/metadata//identity/oauth2/token",
        "/metadata/./identity/oauth2/token",
        "/metadata/instance/../identity/oauth2/token",
        "/metadata\\identity\\oauth2\\token",
        "/metadata/Identity/oauth2/token",
        "/metadata/identity/info",
    ];
    for path in paths {
        let told = stage.get("10.0.0.1", &format!("{path}?{VAULT}")).await;
        assert_eq!((told.status, told.after.as_millis()), (400, 0), "{path}");
        assert!(told.reason().contains("Invalid request"), "{path}");
    }
    let told = stage.send("10.0.0.1", "POST", "/metadata/identity/issuecredential", &[METADATA]).await;
    assert_eq!(told.status, 404);
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn odd_but_harmless_requests_of_sdks_are_served() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    let usual = format!("{TOKEN}?{VAULT}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let requests = [
        ("js: content type on a GET", usual.clone(), vec![METADATA, form, ("x-client-sku", "msal")]),
        (
            "js-2020: an empty cookie, resource first",
            usual + "&api-version=2018-02-01",
            vec![METADATA, ("cookie", "")],
        ),
        ("rust: another api-version", format!("{TOKEN}?api-version=2019-08-01&{VAULT}"), vec![METADATA]),
        ("curl of the documentation: a trailing slash", format!("{TOKEN}/?{VAULT}"), vec![METADATA]),
    ];
    for (name, target, headers) in requests {
        assert_eq!(stage.send("10.0.0.1", "GET", &target, &headers).await.status, 200, "{name}");
    }
}
