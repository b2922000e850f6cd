//! What do metrics say of all this?

use std::time::Duration;

use podid_core::ids::IdentityResourceId;

use crate::testing::{Stage, identity_id, pool};

/// The value of a series.
async fn value(stage: &Stage, series: &str) -> String {
    let metrics = stage.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{metrics}")).to_owned()
}

async fn number(stage: &Stage, series: &str) -> f64 {
    value(stage, series).await.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_wait_of_a_pod_is_counted_once_by_what_arm_took_and_seen_while_it_lasts() {
    let stage = Stage::running().await;
    stage.arm.latency(Duration::from_secs(2));
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(value(&stage, "podid_mic_waiting_assignments").await, "1");
    let age = number(&stage, "podid_mic_oldest_waiting_assignment_seconds").await;
    assert!((0.5..=1.5).contains(&age), "{age}");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.settle().await;
    assert_eq!(value(&stage, "podid_mic_waiting_assignments").await, "0");
    assert_eq!(value(&stage, "podid_mic_oldest_waiting_assignment_seconds").await, "0.0");
    let bucket = "podid_mic_time_to_assigned_seconds_bucket";
    assert_eq!(value(&stage, &format!("{bucket}{{le=\"1.0\"}}")).await, "0");
    assert_eq!(value(&stage, &format!("{bucket}{{le=\"2.5\"}}")).await, "1");
    assert_eq!(value(&stage, &format!("{bucket}{{le=\"+Inf\"}}")).await, "1");
}

#[tokio::test(start_paused = true)]
async fn pods_that_share_a_patch_are_counted_as_coalesced() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    for n in 0..20 {
        stage.pod("web", &format!("p{n}"), "app", "a");
    }
    stage.until("assigned", |stage| stage.are_assigned(20)).await;
    stage.settle().await;
    assert_eq!(value(&stage, "podid_mic_patches_total").await, "1");
    assert_eq!(value(&stage, "podid_mic_coalesced_total").await, "19");
    assert_eq!(value(&stage, "podid_mic_patched_identities_total{change=\"added\"}").await, "1");
    stage.no_pod("web", "p0");
    stage.settle().await;
    assert_eq!(value(&stage, "podid_mic_patched_identities_total{change=\"removed\"}").await, "0");
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_somebody_else_took_off_is_found_and_put_back_and_our_own_removals_are_no_drift() {
    let stage = Stage::running().await;
    for name in ["app", "other"] {
        stage.bound(name, name);
        stage.pod("web", name, name, "a");
    }
    stage.until("assigned", |stage| stage.are_assigned(2)).await;
    stage.no_pod("web", "other");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(value(&stage, "podid_mic_drift_found_total").await, "0");
    stage.arm.clear(&pool("pool"));
    stage.until("back", |stage| stage.arm.names(&pool("pool")) == ["app"]).await;
    stage.settle().await;
    assert_eq!(value(&stage, "podid_mic_drift_found_total").await, "1");
    assert_eq!(value(&stage, "podid_mic_drift_repaired_total").await, "1");
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_arm_refuses_is_set_aside_and_its_pod_goes_on_waiting() {
    let stage = Stage::running().await;
    let bad: IdentityResourceId = identity_id("bad");
    stage.arm.refuse(bad);
    stage.bound("bad", "bad");
    stage.pod("web", "p", "bad", "a");
    stage.settle().await;
    assert!(number(&stage, "podid_mic_identity_refusals_total").await >= 1.0);
    assert_eq!(value(&stage, "aadpodidentity_mic_refused_identities").await, "1");
    assert!(number(&stage, "podid_mic_oldest_waiting_assignment_seconds").await > 15.0);
}

#[tokio::test(start_paused = true)]
async fn who_leads_what_arm_allows_and_what_watches_hear_is_read_when_asked() {
    let stage = Stage::running().await;
    stage.settle().await;
    assert_eq!(value(&stage, "podid_mic_leader").await, "1.0");
    assert_eq!(value(&stage, "podid_mic_ready").await, "1.0");
    assert_eq!(value(&stage, "podid_mic_arm_budget_ratio{kind=\"vmss\",verb=\"write\"}").await, "1.0");
    let age = number(&stage, "podid_mic_watch_age_seconds{kind=\"pods\"}").await;
    assert!((1.0..=60.0).contains(&age), "{age}");
}
