//! Which pod is it?

use std::time::Duration;

use podid_core::answer::Mode;
use podid_core::facts::{AssignmentState, Phase, Pod};

use crate::neighbour::Astray;

use super::stage::{Live, METADATA, Stage, TOKEN, VAULT, assignment, client_id, ip, old_pod, pod};

#[tokio::test(start_paused = true)]
async fn w31_two_live_pods_with_one_address_get_nothing_and_are_both_named() {
    let stage = Stage::standard().await;
    stage.ready_pod("first", "10.0.0.1").await;
    stage.ready_pod("second", "10.0.0.1").await;
    let both = ["first", "second"].map(|name| pod("shop", name, "10.0.0.1"));
    stage.cluster.live.lock().unwrap().pods = both.into();
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!(told.status, 503);
    assert!(told.retry_after().is_some());
    assert!(told.reason().contains("shop/first, shop/second"), "{}", told.reason());
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_finished_pod_never_matches_and_a_terminating_one_keeps_its_identity() {
    let stage = Stage::standard().await;
    stage.ready_pod("done", "10.0.0.1").await;
    stage.cluster.apply_pod(Pod { phase: Phase::Finished, ..pod("shop", "done", "10.0.0.1") });
    stage.ready_pod("going", "10.0.0.1").await;
    stage.cluster.apply_pod(Pod { terminating: true, ..pod("shop", "going", "10.0.0.1") });
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.json()["client_id"], client_id("going"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_address_waits_for_the_watch_before_anyone_is_asked() {
    let stage = Stage::standard().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 0);
}

#[tokio::test(start_paused = true)]
async fn w31_w44_a_silent_watch_does_not_mean_no_tokens() {
    let stage = Stage::standard().await;
    stage.cluster.live.lock().unwrap().pods = vec![old_pod("shop", "web", "10.0.0.1")];
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
    stage.imds.has(&["web"]);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_looked_up_pod_is_let_go_when_the_watch_names_another_owner_of_its_address() {
    let stage = Stage::standard().await;
    // The API server's answer is older than the watch.
    stage.cluster.live.lock().unwrap().pods = vec![old_pod("shop", "web", "10.0.0.1")];
    let record = assignment("shop", "web", "web", AssignmentState::Created);
    stage.cluster.apply_assignment(record.clone());
    stage.imds.has(&["web"]);
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.cluster.apply_pod(old_pod("shop", "successor", "10.0.0.1"));
    stage.settle().await;
    let assigned = podid_core::facts::Assignment { state: AssignmentState::Assigned, ..record };
    stage.cluster.apply_assignment(assigned);
    assert_eq!(request.await.unwrap(), 503);
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_of_no_pod_is_a_retryable_answer() {
    let stage = Stage::standard().await;
    for out_of_reach in [false, true] {
        stage.cluster.live.lock().unwrap().out_of_reach = out_of_reach;
        let told = stage.token("10.9.9.9", "").await;
        assert_eq!(told.status, 503);
        assert!(told.retry_after().is_some() && told.reason().contains("10.9.9.9"));
    }
    assert!(
        stage.metrics().contains("kubernetes_api_operations_errors_count{operation_type=\"get_pod_list\"} 1")
    );
}

#[tokio::test(start_paused = true)]
async fn many_unknown_callers_are_one_question() {
    let stage = Stage::standard().await;
    let all = (0..50).map(|number| {
        let address = format!("10.9.9.{number}");
        let stage = &stage;
        async move { stage.token(&address, "").await.status }
    });
    assert!(futures::future::join_all(all).await.into_iter().all(|status| status == 503));
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 1);
}

/// W-41.
#[tokio::test(start_paused = true)]
async fn the_pods_mapped_address_on_a_dual_stack_listener_is_its_own() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(stage.token("::ffff:10.0.0.1", "").await.status, 200);
    stage.ready_pod("six", "fd00::6").await;
    assert_eq!(stage.token("fd00::6", "").await.json()["client_id"], client_id("six"));
}

#[tokio::test(start_paused = true)]
async fn a_host_network_pods_address_is_the_nodes_and_matches_nobody() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.apply_pod(Pod { host_network: true, ..pod("shop", "web", "10.0.0.1") });
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn requests_before_the_watches_are_in_step_wait_for_them() {
    let stage = Stage::starting(Mode::Standard, |_| {}).await;
    stage.ready_pod("web", "10.0.0.1").await;
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!request.is_finished() && !stage.is_complete());
    stage.cluster.synced();
    assert_eq!(request.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_lasts_is_a_retryable_answer_and_nothing_is_served_half_informed() {
    let stage = Stage::starting(Mode::Standard, |_| {}).await;
    stage.ready_pod("web", "10.0.0.1").await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_secs()), (503, 30));
    assert!(stage.imds.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_served_before_bindings_and_identities_are_known() {
    for mode in [Mode::Standard, Mode::Managed] {
        let stage = Stage::starting(mode, |_| {}).await;
        stage.cluster.synced_but_identities();
        stage.ready_pod("web", "10.0.0.1").await;
        let request = stage.start_token("10.0.0.1", "");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!request.is_finished() && stage.imds.seen().is_empty(), "{mode:?}");
        stage.cluster.synced();
        assert_eq!(request.await.unwrap(), 200, "{mode:?}");
    }
}

/// W-52.
#[tokio::test(start_paused = true)]
async fn the_host_token_route_answers_loopback_only_and_ignores_exceptions() {
    let stage = Stage::with(Mode::Standard, |rules| rules.host_token_route = true).await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.apply_exception(super::stage::exception("shop", "aadpodidbinding", "web"));
    stage.settle().await;
    let headers = [("podns", "shop"), ("podname", "web")];
    let target = format!("/host/token/?{VAULT}");
    let told = stage.send("127.0.0.1", "GET", &target, &headers).await;
    assert_eq!(told.status, 200, "{}", told.body);
    let json = told.json();
    assert_eq!(
        (json["clientid"].as_str(), json["token"]["token_type"].as_str()),
        (Some(&*client_id("web")), Some("Bearer"))
    );
    assert_eq!(stage.send("::1", "GET", &target, &headers).await.status, 200);
    for foreign in ["10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "169.254.169.254"] {
        assert_eq!(stage.send(foreign, "GET", &target, &headers).await.status, 403, "{foreign}");
    }
    let off = Stage::standard().await;
    off.ready_pod("web", "10.0.0.1").await;
    assert_eq!(off.send("127.0.0.1", "GET", &target, &headers).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn w07_a_pod_called_mic_is_a_pod_like_any_other() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("default", "microservice-7d9f-abcde", "10.0.0.1"));
    stage.settle().await;
    let told = stage.send("10.0.0.1", "GET", &format!("{TOKEN}?{VAULT}"), &[METADATA]).await;
    assert_eq!(told.status, 400);
    assert!(stage.imds.seen().is_empty());
}

/// A pod that the watch knows, while its address may have become another's.
async fn with_moved_address() -> Stage {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    stage.neighbours.moved(ip("10.0.0.1"));
    stage
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_reused_while_the_watch_is_silent_gets_nothing_of_the_predecessor() {
    let stage = with_moved_address().await;
    let terminating = Pod { terminating: true, ..pod("shop", "web", "10.0.0.1") };
    let answers = [
        vec![old_pod("shop", "successor", "10.0.0.1")],
        vec![pod("shop", "web", "10.0.0.1"), old_pod("shop", "successor", "10.0.0.1")],
        vec![Pod { uid: podid_core::ids::Uid::new("another"), ..pod("shop", "web", "10.0.0.1") }],
        vec![terminating],
        vec![],
    ];
    for (number, live) in answers.into_iter().enumerate() {
        stage.cluster.live.lock().unwrap().pods = live;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!(told.status, 503, "{number}: {}", told.body);
        assert!(told.retry_after().is_some() && !told.body.contains(super::stage::MARK));
    }
    stage.cluster.live.lock().unwrap().out_of_reach = true;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 503);
    // The watch wakes up, and the API is there again.
    stage.cluster.remove_pod(podid_core::ids::ObjectRef::new("shop", "web"));
    stage.ready_pod("successor", "10.0.0.1").await;
    let live = Live { pods: vec![pod("shop", "successor", "10.0.0.1")], ..Live::default() };
    *stage.cluster.live.lock().unwrap() = live;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.token("10.0.0.1", "").await.json()["client_id"], client_id("successor"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_the_api_confirms_is_asked_about_once_and_not_by_an_older_answer() {
    let stage = with_moved_address().await;
    let confirmed = vec![pod("shop", "web", "10.0.0.1")];
    // An answer from before the change is at hand.
    stage.cluster.live.lock().unwrap().pods = confirmed;
    assert_eq!(stage.token("10.9.9.9", "").await.status, 503);
    stage.neighbours.moved(ip("10.0.0.1"));
    for _ in 0..3 {
        assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    }
    assert_eq!(stage.cluster.live.lock().unwrap().questions, 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_address_a_neighbour_claims_gets_nothing_until_that_ends() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.live.lock().unwrap().pods = vec![pod("shop", "web", "10.0.0.1")];
    // From the first request on, and after each change, whatever the API confirms.
    for change in [false, true] {
        if change {
            stage.neighbours.moved(ip("10.0.0.1"));
        }
        stage.neighbours.lead_astray(Some(Astray::Elsewhere));
        let seen = stage.imds.seen().len();
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!(told.status, 503);
        let reason = told.reason();
        assert!(reason.contains("shop/web") && reason.contains("NET_RAW"), "{reason}");
        assert!(
            reason.ends_with("(podid explain caller-claimed)") && told.retry_after().is_some(),
            "{reason}"
        );
        assert_eq!(stage.imds.seen().len(), seen);
        stage.neighbours.lead_astray(None);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_leave_once_the_address_is_claimed_while_the_caller_is_held() {
    for astray in [None, Some(Astray::Twice)] {
        let stage = Stage::standard().await;
        stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
        stage.imds.has(&["web"]);
        stage.settle().await;
        stage.cluster.live.lock().unwrap().pods = vec![pod("shop", "web", "10.0.0.1")];
        let request = stage.start_token("10.0.0.1", "");
        tokio::time::sleep(Duration::from_secs(5)).await;
        stage.neighbours.moved(ip("10.0.0.1"));
        stage.neighbours.lead_astray(astray);
        stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
        let expected = if astray.is_some() { 503 } else { 200 };
        assert_eq!(request.await.unwrap(), expected, "{astray:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_excepted_pod_hears_nothing_of_imds_while_its_address_is_claimed() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_exception(super::stage::exception("shop", "aadpodidbinding", "web"));
    stage.imds.has(&["web"]);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    stage.cluster.live.lock().unwrap().pods = vec![pod("shop", "web", "10.0.0.1")];
    stage.neighbours.moved(ip("10.0.0.1"));
    stage.neighbours.lead_astray(Some(Astray::Everywhere));
    assert_eq!(stage.token("10.0.0.1", "").await.status, 503);
}
