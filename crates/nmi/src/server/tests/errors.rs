//! What a pod reads when IMDS is unwell.

use std::time::Duration;

use super::stage::{Says, Stage};

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_during_the_hold_is_not_seen_by_the_pod() {
    for says in [
        Says::Reply(500, vec![], "oops"),
        Says::Reply(429, vec![("retry-after", "2")], ""),
        Says::Reply(404, vec![], ""),
        Says::Reply(200, vec![], "half a bo"),
    ] {
        let stage = Stage::standard().await;
        stage.ready_pod("web", "10.0.0.1").await;
        stage.imds.says(says);
        let request = stage.start_token("10.0.0.1", "");
        tokio::time::sleep(Duration::from_secs(5)).await;
        stage.imds.says(Says::Truth);
        assert_eq!(request.await.unwrap(), 200);
    }
}

/// W-40.
#[tokio::test(start_paused = true)]
async fn trouble_that_lasts_is_503_with_retry_after_and_no_upstream_body() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Reply(500, vec![], "internal detail of the host"));
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!(told.status, 503);
    assert!(told.retry_after().is_some() && told.after <= Duration::from_secs(50));
    assert!(!told.body.contains("internal detail"), "{}", told.body);
}

/// W-43.
#[tokio::test(start_paused = true)]
async fn an_imds_that_hangs_holds_nobody_past_fifty_seconds() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Late(Duration::from_secs(15)));
    stage.imds.has_not("web");
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after <= Duration::from_secs(50)), (503, true), "{:?}", told.after);
}

/// W-40.
#[tokio::test(start_paused = true)]
async fn throttling_that_outlasts_the_hold_is_passed_on_with_its_time() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Reply(429, vec![("retry-after", "120")], ""));
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.retry_after(), told.after.as_secs()), (429, Some("120"), 0));
    assert_eq!(stage.imds.seen().len(), 1, "nobody asks before the time is over");
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_imds_refuses_is_final() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Reply(
        400,
        vec![],
        r#"{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal was not found"}"#,
    ));
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_millis()), (400, 0));
    assert!(told.reason().contains("https://vault.azure.net"), "{}", told.reason());
}

#[tokio::test(start_paused = true)]
async fn a_cached_token_is_served_while_imds_is_down() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    stage.imds.says(Says::Reply(503, vec![], ""));
    for _ in 0..23 {
        tokio::time::advance(Duration::from_hours(1)).await;
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!((told.status, told.after.as_secs()), (200, 0));
    }
}
