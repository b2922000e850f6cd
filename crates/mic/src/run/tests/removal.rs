//! What is taken off, when, and what never is.

use std::time::Duration;

use podid_core::ids::ClientId;

use crate::testing::{Stage, identity_id, pool};

#[tokio::test(start_paused = true)]
async fn arm_is_written_before_the_record_goes() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.arm.latency(Duration::from_secs(40));
    stage.no_pod("web", "p");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.records().len(), 1, "its PATCH is still under way");
    stage.until("gone", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
    stage.until("nothing of ours is left", |stage| stage.ownership().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_stays_while_another_pod_of_the_scale_set_uses_it() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.pod("web", "q", "app", "b");
    stage.until("assigned", |stage| stage.are_assigned(2)).await;
    stage.no_pod("web", "p");
    stage.until("one record", |stage| stage.records().len() == 1).await;
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
    assert_eq!(stage.arm.patches().len(), 1);
}

/// A stage on which an identity stays for ten minutes after its last pod.
async fn patient() -> Stage {
    let mut stage = Stage::new();
    stage.node("a", "pool", 0);
    stage.stay = Duration::from_mins(10);
    stage.start().await;
    stage.bound("app", "app");
    stage
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_within_the_removal_delay_causes_no_patch_at_all() {
    let stage = patient().await;
    stage.pod("web", "p-1", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "p-1");
    stage.until("the record goes at once", |stage| stage.records().is_empty()).await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    stage.pod("web", "p-2", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
    assert_eq!(stage.arm.patches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_the_removal_delay_the_identity_goes_also_when_the_controller_was_restarted_meanwhile() {
    let mut stage = patient().await;
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "p");
    stage.until("record gone", |stage| stage.records().is_empty()).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    stage.kill().await;
    stage.start().await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
    stage.until("nothing of ours is left", |stage| stage.ownership().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn w13_a_pod_of_the_same_name_in_another_namespace_counts_as_a_user() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("red", "x-0", "app", "a");
    stage.pod("blue", "x-0", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(2)).await;
    stage.no_pod("red", "x-0");
    stage.until("one record", |stage| stage.records().len() == 1).await;
    stage.settle().await;
    assert_eq!(stage.arm.patches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_identity_is_used_and_never_taken_off_also_across_restarts() {
    let mut stage = Stage::running().await;
    stage.arm.put(&pool("pool"), identity_id("foreign"));
    stage.bound("foreign", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    assert!(stage.ownership().contains("found:"), "{}", stage.ownership());
    stage.kill().await;
    stage.start().await;
    stage.settle().await;
    stage.no_pod("web", "p");
    stage.until("record gone", |stage| stage.records().is_empty()).await;
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["foreign"]);
    assert_eq!(stage.arm.patches().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_assignment_of_the_original_is_taken_over_and_removed_with_its_pod() {
    let mut stage = Stage::new();
    stage.node("a", "pool", 0);
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.record("p", "web", "app", "a", "Assigned");
    for name in ["app", "kubelet"] {
        stage.arm.put(&pool("pool"), identity_id(name));
    }
    stage.start().await;
    stage.until("taken over", |stage| stage.ownership().contains("/app")).await;
    stage.settle().await;
    assert_eq!(stage.arm.patches().len(), 0);
    assert!(!stage.ownership().contains("kubelet"));
    stage.no_pod("web", "p");
    stage.until("gone", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["kubelet"]);
}

#[tokio::test(start_paused = true)]
async fn an_assignment_of_the_original_whose_pod_went_meanwhile_is_cleaned_up() {
    let mut stage = Stage::new();
    stage.node("a", "pool", 0);
    for state in ["Assigned", "Unassigned"] {
        let name = state.to_lowercase();
        stage.bound(&name, "app");
        stage.record("p", "web", &name, "a", state);
        stage.arm.put(&pool("pool"), identity_id(&name));
    }
    stage.start().await;
    stage.until("gone", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_forged_record_takes_no_foreign_identity_off_also_across_a_restart() {
    let mut stage = Stage::running().await;
    stage.arm.put(&pool("pool"), identity_id("foreign"));
    stage.settle().await;
    stage.record("p", "web", "foreign", "a", "Assigned");
    stage.until("forged record gone", |stage| stage.records().is_empty()).await;
    stage.kill().await;
    stage.record("q", "web", "foreign", "a", "Assigned");
    stage.start().await;
    stage.until("forged record gone again", |stage| stage.records().is_empty()).await;
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["foreign"]);
    assert_eq!(stage.arm.patches().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn w48_the_cluster_s_own_identity_stays_whatever_the_case_of_its_client_id() {
    let mut stage = Stage::new();
    stage.node("a", "pool", 0);
    stage.protected.clients.insert(ClientId::parse("CLIENT-app").unwrap());
    stage.start().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "p");
    stage.until("record gone", |stage| stage.records().is_empty()).await;
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_user_deletes_comes_back() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    let uid = stage.api.list("azureassignedidentities")[0]["metadata"]["uid"].clone();
    stage.api.delete("azureassignedidentities", "default", "p-web-app");
    stage
        .until("another one", |stage| {
            let records = stage.api.list("azureassignedidentities");
            stage.are_assigned(1)
                && records[0]["metadata"]["uid"] != uid
                && records[0]["metadata"]["deletionTimestamp"].is_null()
        })
        .await;
    assert_eq!(stage.arm.patches().len(), 1);
}

/// Found by a storm: nobody wished anything of the scale set, so it was not read, and the record waited for ever.
#[tokio::test(start_paused = true)]
async fn a_record_that_was_never_assigned_goes_with_its_pod_also_when_nobody_led_meanwhile() {
    let mut stage = Stage::running().await;
    stage.arm.refuse(identity_id("app"));
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("created", |stage| stage.state("p-web-app").as_deref() == Some("Created")).await;
    stage.settle().await;
    stage.kill().await;
    stage.no_pod("web", "p");
    stage.start().await;
    stage.until("gone", |stage| stage.records().is_empty()).await;
}
