//! What reaches the real IMDS, and how.

use podid_core::answer::Mode;
use podid_core::request::PassThrough;

use super::stage::{MARK, METADATA, Says, Stage, TOKEN, VAULT, exception, pod};

async fn with_excepted_pod() -> Stage {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_pod(pod("shop", "plain", "10.0.0.2"));
    stage.cluster.apply_exception(exception("shop", "aadpodidbinding", "WEB"));
    stage.settle().await;
    stage
}

#[tokio::test(start_paused = true)]
async fn everyone_may_read_instance_metadata_and_versions() {
    let stage = Stage::standard().await;
    for target in ["/metadata/instance?api-version=2017-08-01", "/metadata/versions"] {
        let told = stage.send("10.9.9.9", "GET", target, &[METADATA, ("x-ms-client-request-id", "id")]).await;
        assert_eq!((told.status, told.headers["x-from"].to_str().unwrap()), (200, "imds"));
    }
    let seen = stage.imds.seen();
    assert_eq!(seen[0].target, "/metadata/instance?api-version=2017-08-01");
    assert_eq!(seen[0].headers["host"], stage.imds.address.to_string());
    assert_eq!(seen[0].headers["x-ms-client-request-id"], "id");
    assert!(seen.iter().all(|seen| seen.body.is_empty()), "a body could be read as another request");
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_pod_says_about_its_own_connection_does_not_reach_imds() {
    let stage = Stage::standard().await;
    let headers = [METADATA, ("connection", "keep-alive, x-hop"), ("x-hop", "1"), ("host", "evil.example")];
    assert_eq!(stage.send("10.0.0.1", "GET", "/metadata/versions", &headers).await.status, 200);
    let seen = &stage.imds.seen()[0].headers;
    assert!(!seen.contains_key("x-hop") && !seen.contains_key("connection"), "{seen:?}");
    assert_eq!(seen["host"], stage.imds.address.to_string());
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_for_excepted_pods_only() {
    let stage = with_excepted_pod().await;
    for (method, target) in [("GET", "/metadata/attested/document"), ("POST", "/metadata/scheduledevents")] {
        let told = stage.send("10.0.0.2", method, target, &[METADATA]).await;
        assert_eq!(told.status, 403);
        let reason = told.reason();
        assert!(reason.contains("shop/plain") && reason.contains("AzurePodIdentityException"), "{reason}");
        assert!(!reason.contains("unreachable"), "SDKs read that as: there is no IMDS");
        assert!(stage.imds.seen().is_empty());
    }
    let told = stage.send("10.0.0.1", "POST", "/metadata/scheduledevents", &[METADATA]).await;
    assert_eq!(told.status, 200);
    let seen = stage.imds.seen();
    assert_eq!((seen[0].method.as_str(), &seen[0].body[..]), ("POST", &b"body"[..]));
}

#[tokio::test(start_paused = true)]
async fn w08_an_excepted_pods_token_request_reaches_imds_as_it_was() {
    let stage = with_excepted_pod().await;
    let query = format!("api-version=2018-02-01&{VAULT}&object_id=o%2Fp");
    let told = stage.get("10.0.0.1", &format!("{TOKEN}?{query}")).await;
    assert!(told.status == 200 && told.body.contains(MARK));
    assert_eq!(stage.imds.seen()[0].target, format!("{TOKEN}?{query}"));
}

#[tokio::test(start_paused = true)]
async fn an_excepted_pod_reads_status_and_body_of_imds_unchanged() {
    let stage = with_excepted_pod().await;
    let replies = [
        (400, vec![], r#"{"error":"invalid_request","error_description":"Identity not found"}"#),
        (429, vec![("retry-after", "7")], "slow down"),
        (301, vec![("location", "http://elsewhere.example/")], ""),
        (500, vec![], "oops"),
    ];
    for (status, headers, body) in replies {
        stage.imds.says(Says::Reply(status, headers.clone(), body));
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!((told.status, told.body.as_str()), (status, body));
        for (name, value) in headers {
            assert_eq!(told.headers[name], value);
        }
    }
    assert_eq!(stage.imds.seen().len(), 4, "no redirect is followed, nothing is repeated");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_exception_goes_is_an_ordinary_pod_at_once() {
    let stage = with_excepted_pod().await;
    assert_eq!(stage.get("10.0.0.1", "/metadata/attested/document").await.status, 200);
    stage.cluster.remove_exception(podid_core::ids::ObjectRef::new("shop", "exception"));
    stage.settle().await;
    assert_eq!(stage.get("10.0.0.1", "/metadata/attested/document").await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_an_excepted_pod_that_is_none_any_more_stays_here() {
    for target in [format!("{TOKEN}?{VAULT}"), "/metadata/attested/document".to_owned()] {
        let stage = with_excepted_pod().await;
        stage.imds.says(Says::Late(std::time::Duration::from_secs(5)));
        let ask = stage.get("10.0.0.1", &target);
        let change = async {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            stage.cluster.remove_exception(podid_core::ids::ObjectRef::new("shop", "exception"));
        };
        let (told, ()) = tokio::join!(ask, change);
        assert_eq!(told.status, 503, "{}", told.body);
        assert!(!told.body.contains(MARK) && told.reason().contains("AzurePodIdentityException"));
        assert_eq!(stage.imds.seen().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn blocked_instance_metadata_reaches_nobody() {
    let stage = Stage::with(Mode::Standard, |rules| rules.block_instance_metadata = true).await;
    let told = stage.get("10.0.0.1", "/metadata/instance").await;
    assert_eq!((told.status, told.reason().as_str()), (403, "Request blocked by AAD Pod Identity NMI"));
    assert_eq!(stage.get("10.0.0.1", "/metadata/versions").await.status, 200);
    assert_eq!(stage.imds.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_pod_reaches_imds_where_the_original_s_pass_through_is_restored_but_no_identity_path() {
    let stage = Stage::with(Mode::Standard, |rules| rules.pass_through = PassThrough::All).await;
    let told =
        stage.send("10.9.9.9", "POST", "/metadata/scheduledevents?api-version=2020-07-01", &[METADATA]).await;
    assert_eq!((told.status, told.headers["x-from"].to_str().unwrap()), (200, "imds"));
    assert_eq!(stage.imds.seen()[0].body, "body");
    for path in ["/metadata/identity/info", "/metadata/v2/identity/issuecredential"] {
        assert!(stage.send("10.9.9.9", "POST", path, &[METADATA]).await.status >= 400, "{path}");
    }
    let forwarded = [METADATA, ("x-forwarded-for", "10.0.0.1")];
    assert_eq!(stage.send("10.9.9.9", "GET", "/metadata/attested/document", &forwarded).await.status, 400);
    assert_eq!(stage.imds.seen().len(), 1);
}
