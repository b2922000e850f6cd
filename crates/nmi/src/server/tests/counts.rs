//! What do metrics say of requests?

use std::time::Duration;

use podid_core::facts::AssignmentState;

use super::stage::{Says, Stage, assignment, old_pod, pod};

/// The value of a series.
fn value(stage: &Stage, series: &str) -> String {
    let metrics = stage.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{metrics}")).to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_counted_as_asked_for_once_and_as_there_afterwards_with_the_life_that_it_has_left() {
    let stage = Stage::managed().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.tokens_live(3600);
    for _ in 0..3 {
        assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    }
    assert_eq!(value(&stage, "podid_nmi_tokens_served_total{cache=\"miss\"}"), "1");
    assert_eq!(value(&stage, "podid_nmi_tokens_served_total{cache=\"hit\"}"), "2");
    assert_eq!(value(&stage, "podid_nmi_token_life_seconds_bucket{le=\"1800.0\"}"), "0");
    assert_eq!(value(&stage, "podid_nmi_token_life_seconds_bucket{le=\"3600.0\"}"), "3");
    let call = "podid_nmi_upstream_duration_seconds_count{upstream=\"imds\",result=\"ok\"}";
    assert_eq!(value(&stage, call), "1");
    assert_eq!(value(&stage, "podid_nmi_upstream_queue_wait_seconds_count{upstream=\"imds\"}"), "1");
    assert_eq!(value(&stage, "podid_nmi_upstream_queue_length{upstream=\"imds\"}"), "0");
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_counted_while_it_lasts_and_by_its_length_and_end_afterwards() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.imds.has(&["web"]);
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(value(&stage, "podid_nmi_held_requests"), "1");
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(value(&stage, "podid_nmi_held_requests"), "0");
    let bucket =
        |bound| format!("podid_nmi_hold_duration_seconds_bucket{{le=\"{bound}\",outcome=\"served\"}}");
    assert_eq!((value(&stage, &bucket("2.5")), value(&stage, &bucket("5.0"))), ("0".into(), "1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_is_held_no_longer() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(3)).await;
    request.abort();
    request.await.unwrap_err();
    assert_eq!(value(&stage, "podid_nmi_held_requests"), "0");
    let series = "podid_nmi_hold_duration_seconds_bucket{le=\"5.0\",outcome=\"hung up\"}";
    assert_eq!(value(&stage, series), "1");
}

#[tokio::test(start_paused = true)]
async fn who_is_answered_at_once_was_not_held() {
    let stage = Stage::managed().await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    assert!(!stage.metrics().contains("podid_nmi_hold_duration_seconds_count{"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_counted_by_its_word() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 400);
    assert_eq!(stage.get("10.0.0.1", "/metadata/identity/other").await.status, 400);
    assert_eq!(value(&stage, "podid_nmi_refusals_total{reason=\"no-binding\"}"), "1");
    assert_eq!(value(&stage, "podid_nmi_refusals_total{reason=\"unknown-path\"}"), "1");
    assert_eq!(value(&stage, "podid_nmi_refusals_total{reason=\"no-label\"}"), "0");
}

#[tokio::test(start_paused = true)]
async fn what_imds_says_is_counted_by_its_word() {
    let stage = Stage::managed().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Reply(
        400,
        vec![],
        r#"{"error":"invalid_resource","error_description":"AADSTS500011: no"}"#,
    ));
    stage.token("10.0.0.1", "").await;
    let errors = "podid_nmi_upstream_errors_total{upstream=\"imds\",code=\"AADSTS500011\"}";
    assert_eq!(value(&stage, errors), "1");
    let call = "podid_nmi_upstream_duration_seconds_count{upstream=\"imds\",result=\"refused\"}";
    assert_eq!(value(&stage, call), "1");
}
