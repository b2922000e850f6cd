//! Stories of the whole controller: what users do, and what becomes of it.

mod counts;
mod faults;
mod matching;
mod removal;
mod storms;
mod targets;

use std::time::Duration;

use crate::testing::{Stage, identity_id, pool};

#[tokio::test(start_paused = true)]
async fn a_pod_gets_its_identity_whatever_the_order_of_creation() {
    let makers: [fn(&Stage); 4] = [
        |stage| stage.node("n", "pool", 0),
        |stage| stage.managed("app", "app"),
        |stage| stage.binding("app", "app"),
        |stage| stage.pod("web", "p", "app", "n"),
    ];
    for code in 0..24 {
        let (mut left, mut code) = (makers.to_vec(), code);
        let mut stage = Stage::new();
        stage.start().await;
        while !left.is_empty() {
            left.remove(code % left.len())(&stage);
            code /= left.len() + 1;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        stage.until("assigned", |stage| stage.state("p-web-app").as_deref() == Some("Assigned")).await;
        assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
        stage.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_assignment_takes_two_writes_and_says_what_it_did() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.settle().await;
    let writes = stage.api.writes();
    let records: Vec<_> = writes.iter().filter(|write| write.contains("azureassigned")).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    assert!(stage.ownership().contains("put:"), "{}", stage.ownership());
    assert!(stage.ownership().contains("userAssignedIdentities/app"));
    let applied =
        ("binding applied".to_owned(), "Binding app applied on node a for pod p-web-app".to_owned());
    assert!(stage.events().contains(&applied), "{:?}", stage.events());
}

/// W-20.
#[tokio::test(start_paused = true)]
async fn a_crowd_on_one_scale_set_is_two_patches_at_most_and_two_writes_per_pod() {
    let stage = Stage::running().await;
    stage.arm.latency(Duration::from_secs(2));
    for n in 0..20 {
        stage.bound(&format!("app{n}"), &format!("app{n}"));
    }
    for n in 0..300 {
        stage.pod("web", &format!("p{n}"), &format!("app{}", n % 20), "a");
        if n % 30 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    stage.until("assigned", |stage| stage.are_assigned(300)).await;
    assert!(stage.arm.patches().len() <= 2, "{:?}", stage.arm.patches().len());
    assert!(stage.api.writes().len() <= 2 * 300 + 10, "{}", stage.api.writes().len());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_in_a_quiet_cluster_and_arm_is_only_compared() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.settle().await;
    let (reads, patches) = (stage.arm.reads(), stage.arm.patches().len());
    stage.api.forget_writes();
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(stage.api.writes(), [""; 0]);
    assert_eq!(stage.arm.patches().len(), patches);
    let compared = stage.arm.reads() - reads;
    assert!((9..=11).contains(&compared), "every 3 minutes: {compared}");
}

#[tokio::test(start_paused = true)]
async fn an_identity_removed_behind_our_back_is_put_back() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.arm.clear(&pool("pool"));
    stage.until("repaired", |stage| stage.arm.names(&pool("pool")) == ["app"]).await;
    assert!(stage.are_assigned(1));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_writes_nothing_and_takes_over_when_the_leader_stops() {
    let mut first = Stage::running().await;
    let mut second = Stage::new();
    (second.api, second.arm, second.identity) = (first.api.clone(), first.arm.clone(), "mic-1".to_owned());
    tokio::time::sleep(Duration::from_secs(5)).await;
    second.start().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    first.stop().await.unwrap();
    first.bound("app", "app");
    first.pod("web", "p", "app", "a");
    first.until("taken over", |stage| stage.are_assigned(1)).await;
    let lease = first.api.get("leases", "default", "aad-pod-identity-mic").unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "mic-1");
    second.stop().await.unwrap();
    let lease = first.api.get("leases", "default", "aad-pod-identity-mic").unwrap();
    assert!(lease["spec"]["holderIdentity"].as_str().unwrap_or_default().is_empty(), "released: {lease}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_ends_the_process_with_an_error() {
    let mut stage = Stage::running().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.api.fail(|_, path| (path.contains("/leases")).then_some(500));
    let error = stage.ended().await.unwrap_err().to_string();
    assert!(error.contains("lost the leader lock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn before_every_list_is_complete_nothing_is_removed() {
    let mut stage = Stage::new();
    stage.record("p", "web", "app", "a", "Assigned");
    stage.arm.put(&pool("pool"), identity_id("app"));
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.node("a", "pool", 0);
    stage.api.fail(|method, path| (method == http::Method::GET && path.ends_with("/pods")).then_some(503));
    stage.start().await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(stage.api.writes(), [""; 0]);
    stage.api.recover();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert!(stage.are_assigned(1));
    assert_eq!(stage.arm.patches().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_lock_finishes_nothing_that_was_queued() {
    let mut stage = Stage::running().await;
    for n in 0..200 {
        stage.bound(&format!("app{n}"), &format!("app{n}"));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Records and the lock can no longer be written; the records are tried again and again.
    stage.api.fail(|method, path| {
        (method != http::Method::GET).then(|| if path.contains("azureassigned") { 500 } else { 409 })
    });
    for n in 0..200 {
        stage.pod("web", &format!("p{n}"), &format!("app{n}"), "a");
    }
    let error = stage.ended().await.unwrap_err().to_string();
    assert!(error.contains("lost the leader lock"), "{error}");
    stage.api.recover();
    stage.settle().await;
    assert_eq!((stage.records().len(), stage.arm.patches().len()), (0, 0));
}
