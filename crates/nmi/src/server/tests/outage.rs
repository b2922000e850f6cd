//! What do pods get while the API server is away, and when it is back?

use std::time::Duration;

use podid_core::facts::AssignmentState;

use super::stage::{Stage, assignment, client_id, old_pod, pod};

const AWAY: Duration = Duration::from_mins(10);

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_an_api_server_cost_known_pods_nothing_and_new_ones_only_the_wait() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.live.lock().unwrap().out_of_reach = true;
    for minute in 0..10 {
        // Another resource each time, so that none is served from the cache.
        let known = stage.token("10.0.0.1", &format!("%2F{minute}")).await;
        assert_eq!((known.status, known.after), (200, Duration::ZERO), "{}", known.body);
        let new = stage.token("10.0.0.2", "").await;
        assert_eq!(new.status, 503);
        assert!(new.retry_after().is_some() && new.reason().contains("the Kubernetes API gave no answer"));
        tokio::time::sleep(AWAY / 10).await;
    }
    stage.cluster.live.lock().unwrap().out_of_reach = false;
    stage.ready_pod("new", "10.0.0.2").await;
    assert_eq!(stage.token("10.0.0.2", "").await.json()["client_id"], client_id("new"));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_goes_during_an_outage_is_let_go_of_when_it_is_told() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    tokio::time::sleep(AWAY).await;
    // The watch lists anew: the pod and all that was its own have gone, and somebody else has its address.
    stage.cluster.remove_pod(old_pod("shop", "web", "10.0.0.1").id);
    stage.cluster.apply_pod(old_pod("shop", "stranger", "10.0.0.1"));
    stage.cluster.synced();
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 400);
    assert!(stage.imds.seen().is_empty());
}

/// The node's clock is an hour behind that of whoever set the pod's start.
#[tokio::test(start_paused = true)]
async fn a_pod_that_starts_in_the_future_by_our_clock_waits_no_longer_than_any_other() {
    let stage = Stage::standard().await;
    let started = pod("shop", "web", "10.0.0.1").started.map(|now| now + Duration::from_hours(1));
    stage.cluster.apply_pod(podid_core::facts::Pod { started, ..pod("shop", "web", "10.0.0.1") });
    stage.settle().await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after), (503, Duration::from_secs(50)));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    stage.imds.has(&["web"]);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
}
