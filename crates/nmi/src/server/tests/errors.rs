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

#[tokio::test(start_paused = true)]
async fn an_hour_without_imds_is_not_seen_by_a_pod_whose_token_lives_and_ends_for_others_when_it_is_back() {
    let stage = Stage::standard().await;
    stage.ready_pod("old", "10.0.0.1").await;
    stage.ready_pod("new", "10.0.0.2").await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    stage.imds.says(Says::Reply(503, vec![], ""));
    let end = tokio::time::Instant::now() + Duration::from_hours(1);
    while tokio::time::Instant::now() < end {
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!((told.status, told.after.as_millis()), (200, 0));
        let told = stage.token("10.0.0.2", "").await;
        assert_eq!((told.status, told.after <= Duration::from_secs(50)), (503, true));
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    let questions = stage.imds.seen().len();
    assert!(questions < 60 * 15, "IMDS is not hammered while it is down: {questions}");
    stage.imds.says(Says::Truth);
    let told = stage.token("10.0.0.2", "").await;
    assert_eq!((told.status, told.after <= Duration::from_secs(10)), (200, true), "{:?}", told.after);
}

#[tokio::test(start_paused = true)]
async fn a_slow_imds_is_waited_for() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Late(Duration::from_secs(19)));
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_secs()), (200, 19));
}

#[tokio::test(start_paused = true)]
async fn a_429_without_retry_after_is_tried_again_soon_and_passed_on_only_if_it_lasts() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Reply(429, vec![], ""));
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.retry_after().is_some()), (429, true));
    let questions = stage.imds.seen().len();
    assert!((4..=60).contains(&questions), "{questions}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_token_is_trouble_and_nothing_of_it_is_repeated() {
    for body in
        ["", "S3CR3T", "{\"access_token\":", "[]", "{\"token\":\"S3CR3T\"}", "{\"access_token\":\"S3CR3T\"}"]
    {
        let stage = Stage::standard().await;
        stage.ready_pod("web", "10.0.0.1").await;
        stage.imds.says(Says::Reply(200, vec![], body));
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!((told.status, told.retry_after().is_some()), (503, true), "{body}");
        assert!(!told.body.contains("S3CR3T"), "{}", told.body);
    }
}
