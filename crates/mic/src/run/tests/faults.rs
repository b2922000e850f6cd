//! What fails, and whom that must not concern.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use podid_core::code::Obstacle;

use crate::compute::Fault;
use crate::problem::Problem;
use crate::testing::{Stage, identity_id, pool};

#[tokio::test(start_paused = true)]
async fn one_bad_identity_holds_up_no_good_one_and_is_released_when_it_is_mended() {
    let stage = Stage::running().await;
    stage.arm.refuse(identity_id("bad"));
    for name in ["bad", "good", "fine"] {
        stage.bound(name, "app");
    }
    stage.pod("web", "p", "app", "a");
    stage
        .until("the good ones", |stage| {
            ["good", "fine"]
                .iter()
                .all(|name| stage.state(&format!("p-web-{name}")).as_deref() == Some("Assigned"))
        })
        .await;
    assert_eq!(stage.state("p-web-bad").as_deref(), Some("Created"));
    stage.settle().await;
    assert!(!stage.ownership().contains("/bad"), "it is not there, so it is not ours");
    let told = stage.events();
    assert!(
        told.iter().any(|(reason, text)| reason == "binding apply error"
            && text.ends_with("LinkedAuthorizationFailed (podid explain no-operator-role)")),
        "{told:?}"
    );
    stage.arm.forgive();
    stage.until("all", |stage| stage.are_assigned(3)).await;
}

#[tokio::test(start_paused = true)]
async fn w19_a_hanging_scale_set_delays_no_other() {
    let stage = Stage::running().await;
    stage.node("far", "other", 0);
    stage.arm.hang(&pool("pool"));
    stage.bound("app", "app");
    stage.pod("web", "stuck", "app", "a");
    stage.pod("web", "free", "app", "far");
    stage.until("the other one", |stage| stage.state("free-web-app").as_deref() == Some("Assigned")).await;
    stage.no_pod("web", "free");
    stage.until("removed", |stage| stage.arm.names(&pool("other")).is_empty()).await;
    assert_eq!(stage.state("stuck-web-app").as_deref(), Some("Created"));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_nothing_is_sent_meanwhile() {
    let stage = Stage::running().await;
    let asked = Duration::from_mins(2);
    stage.arm.fail_next(Fault::Later {
        after: Some(asked),
        problem: Problem::new(Obstacle::ArmTrouble, "429 Too Many Requests"),
    });
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let reads = stage.arm.reads();
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!((stage.arm.reads(), stage.arm.patches().len()), (reads, 0));
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
}

#[tokio::test(start_paused = true)]
async fn w06_server_errors_are_tried_again() {
    let stage = Stage::running().await;
    for _ in 0..3 {
        stage.arm.fail_next(Fault::Later { after: None, problem: Problem::new(Obstacle::ArmTrouble, "500") });
    }
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
}

/// W-62.
#[tokio::test(start_paused = true)]
async fn a_death_at_any_moment_of_an_assignment_or_removal_is_mended_by_the_next_start() {
    for moment in (0..3_000).step_by(100) {
        let mut stage = Stage::running().await;
        stage.arm.latency(Duration::from_secs(1));
        stage.arm.put(&pool("pool"), identity_id("foreign"));
        stage.bound("app", "app");
        stage.pod("web", "p", "app", "a");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        stage.kill().await;
        stage.start().await;
        stage.until("assigned", |stage| stage.are_assigned(1)).await;
        stage.no_pod("web", "p");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        stage.kill().await;
        stage.start().await;
        stage.until("gone", |stage| stage.records().is_empty()).await;
        stage.until("taken off", |stage| stage.arm.names(&pool("pool")) == ["foreign"]).await;
        stage.until("forgotten", |stage| stage.ownership().is_empty()).await;
        stage.stop().await.unwrap();
    }
}

/// W-21.
#[tokio::test(start_paused = true)]
async fn failing_writes_to_the_api_are_tried_again() {
    let stage = Stage::running().await;
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = failures.clone();
    stage.api.fail(move |method, path| {
        let concerned =
            method != http::Method::GET && (path.contains("azureassigned") || path.contains("configmaps"));
        (concerned && counted.fetch_add(1, Ordering::Relaxed) < 6).then_some(500)
    });
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "p");
    failures.store(0, Ordering::Relaxed);
    stage.until("removed", |stage| stage.records().is_empty() && stage.ownership().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_an_ownership_record_nothing_is_put_anywhere() {
    let stage = Stage::running().await;
    stage
        .api
        .fail(|method, path| (method != http::Method::GET && path.contains("configmaps")).then_some(403));
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(stage.arm.patches().len(), 0);
    stage.api.recover();
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
}

#[tokio::test(start_paused = true)]
async fn another_writer_of_the_ownership_record_is_not_overwritten() {
    let stage = Stage::running().await;
    stage.bound("one", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    let mut object = stage.api.get("configmaps", "mic", crate::ownership::NAME).unwrap();
    object["data"]["note"] = "mine".into();
    stage.api.apply("configmaps", object);
    stage.bound("two", "app");
    stage.until("both", |stage| stage.are_assigned(2)).await;
    let object = stage.api.get("configmaps", "mic", crate::ownership::NAME).unwrap();
    assert_eq!(object["data"]["note"], "mine");
}
