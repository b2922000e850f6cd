//! Who is held, for how long, and what ends it.

use std::time::Duration;

use podid_core::facts::{AssignmentState, Phase, Pod};
use podid_core::ids::ObjectRef;

use super::stage::{Stage, assignment, binding, client_id, identity, old_pod, pod};

#[tokio::test(start_paused = true)]
async fn w30_a_held_request_is_answered_when_the_assignment_appears_without_polling() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.imds.has(&["web"]);
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(3)).await;
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Created));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(!request.is_finished());
    let before = tokio::time::Instant::now();
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_pod_first_and_its_binding_twenty_seconds_later_gets_its_first_token() {
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.imds.has(&["web"]);
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(20)).await;
    stage.cluster.apply_binding(binding("shop", "web", "web"));
    stage.cluster.apply_identity(identity("shop", "web"));
    assert_eq!(request.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_after_fifty_seconds_with_503_and_retry_after() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Created));
    stage.settle().await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.retry_after(), told.after.as_secs()), (503, Some("5"), 50));
    let reason = told.reason();
    for part in ["shop/web", "AzureIdentity shop/web", "AzureAssignedIdentity default/web-shop-web"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_come_is_refused_at_once() {
    let stage = Stage::standard().await;
    let unlabelled = Pod { labels: [].into(), ..pod("shop", "bare", "10.0.0.1") };
    stage.cluster.apply_pod(unlabelled);
    stage.cluster.apply_pod(old_pod("shop", "unbound", "10.0.0.2"));
    stage.settle().await;
    for (address, part) in [("10.0.0.1", "no label aadpodidbinding"), ("10.0.0.2", "no AzureIdentityBinding")]
    {
        let told = stage.token(address, "").await;
        assert_eq!((told.status, told.retry_after(), told.after.as_millis()), (400, None, 0));
        let reason = told.reason();
        assert!(reason.starts_with("Identity not found: ") && reason.contains(part), "{reason}");
    }
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hold_turns_into_a_refusal_when_the_pods_first_minute_is_over() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_secs()), (400, 30));
}

#[tokio::test(start_paused = true)]
async fn a_changed_label_gives_another_minute() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 400);
    let relabelled = Pod {
        labels: [("aadpodidbinding".into(), "new".into())].into(),
        ..old_pod("shop", "web", "10.0.0.1")
    };
    stage.cluster.apply_pod(relabelled);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn imds_not_knowing_a_fresh_assignment_is_waited_for() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(10)).await;
    stage.imds.has(&["web"]);
    assert_eq!(request.await.unwrap(), 200);
    assert!(stage.imds.seen().len() < 12, "asked {} times", stage.imds.seen().len());
}

#[tokio::test(start_paused = true)]
async fn imds_not_knowing_an_old_assignment_is_final_and_names_the_node() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    stage.settle().await;
    tokio::time::sleep(Duration::from_secs(301)).await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_millis()), (400, 0));
    assert!(told.reason().contains("node node-1"), "{}", told.reason());
    let managed = Stage::managed().await;
    managed.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    managed.cluster.apply_identity(identity("shop", "web"));
    managed.cluster.apply_binding(binding("shop", "web", "web"));
    managed.settle().await;
    assert_eq!(managed.token("10.0.0.1", "").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_held_pod_whose_address_goes_to_another_gets_nothing_of_the_other() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.cluster.remove_pod(ObjectRef::new("shop", "web"));
    stage.ready_pod("successor", "10.0.0.1").await;
    assert_eq!(request.await.unwrap(), 503);
    stage.cluster.live.lock().unwrap().pods = vec![pod("shop", "successor", "10.0.0.1")];
    assert_eq!(stage.token("10.0.0.1", "").await.json()["client_id"], client_id("successor"));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_finishes_while_held_is_let_go() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.cluster.apply_pod(Pod { phase: Phase::Finished, ..pod("shop", "web", "10.0.0.1") });
    assert_eq!(request.await.unwrap(), 503);
}

#[tokio::test(start_paused = true)]
async fn held_requests_end_soon_when_the_agent_does() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = tokio::time::Instant::now();
    stage.draining.begin();
    assert_eq!(request.await.unwrap(), 503);
    assert!(before.elapsed() <= Duration::from_secs(5));
}
