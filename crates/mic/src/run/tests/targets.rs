//! Nodes that come, go, move and are odd.

use std::time::Duration;

use podid_core::ids::ComputeId;
use podid_core::strategy::Strategy;

use crate::testing::{Stage, identity_id, pool};

#[tokio::test(start_paused = true)]
async fn w16_an_identity_goes_with_the_last_node_that_used_it() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.api.delete("nodes", "", "a");
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"], "its pod may still run");
    stage.no_pod("web", "p");
    stage.until("gone", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn w16_what_was_left_by_a_node_that_went_while_nobody_led_is_taken_off() {
    let mut stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.kill().await;
    stage.no_pod("web", "p");
    stage.api.delete("nodes", "", "a");
    stage.start().await;
    stage.until("record gone", |stage| stage.records().is_empty()).await;
    stage.until("taken off", |stage| stage.arm.names(&pool("pool")).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_back_on_another_scale_set_takes_its_record_along() {
    let stage = Stage::running().await;
    stage.node("far", "other", 0);
    stage.bound("app", "app");
    stage.pod("web", "x-0", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "x-0");
    stage.pod("web", "x-0", "app", "far");
    stage
        .until("moved", |stage| {
            let record = stage.api.get("azureassignedidentities", "default", "x-0-web-app");
            stage.are_assigned(1) && record.is_some_and(|record| record["spec"]["nodename"] == "far")
        })
        .await;
    assert_eq!(stage.arm.names(&pool("other")), ["app"]);
    stage.until("off the first", |stage| stage.arm.names(&pool("pool")).is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn w14_a_node_of_another_cloud_disturbs_nobody_and_is_told() {
    let stage = Stage::running().await;
    stage.odd_node("virtual", "aws:///us-west-2a/i-0123");
    stage.bound("app", "app");
    stage.pod("web", "odd", "app", "virtual");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.no_pod("web", "p");
    stage.until("removed", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
    stage.settle().await;
    let told = stage.events();
    assert!(
        told.iter().any(|(reason, text)| reason == "binding apply error"
            && text.contains("aws:///")
            && text.ends_with("(podid explain node-not-azure)")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn w17_scale_sets_of_one_name_in_two_groups_are_two() {
    let stage = Stage::running().await;
    let other = ComputeId::scale_set("s", "other-group", "pool");
    stage.odd_node("far", &format!("azure://{other}/virtualMachines/0"));
    stage.bound("one", "one");
    stage.bound("two", "two");
    stage.pod("web", "p", "one", "a");
    stage.pod("web", "q", "two", "far");
    stage.until("assigned", |stage| stage.are_assigned(2)).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["one"]);
    assert_eq!(stage.arm.names(&other), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn a_scale_set_that_was_deleted_leaves_no_records_behind() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.arm.vanish(&pool("pool"));
    stage.no_pod("web", "p");
    stage.until("gone", |stage| stage.records().is_empty()).await;
    stage.until("forgotten", |stage| stage.ownership().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_ownership_record_names_is_cleaned_up_in_an_empty_cluster_too() {
    let mut stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.kill().await;
    for (kind, namespace, name) in [
        ("pods", "web", "p"),
        ("nodes", "", "a"),
        ("nodes", "", "b"),
        ("azureidentities", "ids", "app"),
        ("azureidentitybindings", "ids", "app"),
    ] {
        stage.api.delete(kind, namespace, name);
    }
    let mut record = stage.api.get("azureassignedidentities", "default", "p-web-app").unwrap();
    record["metadata"]["finalizers"] = serde_json::json!([]);
    stage.api.apply("azureassignedidentities", record);
    stage.api.delete("azureassignedidentities", "default", "p-web-app");
    stage.start().await;
    stage.until("taken off", |stage| stage.arm.names(&pool("pool")).is_empty()).await;
    stage.until("forgotten", |stage| stage.ownership().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn w15_a_pod_whose_node_is_not_known_yet_waits_for_it() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "late");
    stage.settle().await;
    assert_eq!(stage.records(), []);
    stage.node("late", "pool", 7);
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_its_provider_id_keeps_what_is_assigned_there() {
    let mut stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.odd_node("a", "");
    stage.settle().await;
    stage.kill().await;
    stage.start().await;
    stage.settle().await;
    assert!(stage.are_assigned(1));
    stage.node("a", "pool", 0);
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
    assert!(stage.are_assigned(1));
}

#[tokio::test(start_paused = true)]
async fn with_all_nodes_a_bound_identity_is_everywhere_before_any_pod_asks() {
    let mut stage = Stage::new();
    stage.strategy = Strategy::AllNodes;
    stage.node("a", "pool", 0);
    stage.node("far", "other", 0);
    stage.bound("app", "app");
    stage.managed("unbound", "unbound");
    stage.start().await;
    for name in ["pool", "other"] {
        stage.until("on every scale set", |stage| stage.arm.names(&pool(name)) == ["app"]).await;
    }
    stage.arm.latency(Duration::from_mins(5));
    stage.pod("web", "p", "app", "far");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    assert_eq!(stage.arm.patches().len(), 2, "the pod waits for no PATCH");
    stage.no_pod("web", "p");
    stage.until("record gone", |stage| stage.records().is_empty()).await;
    stage.settle().await;
    assert_eq!(stage.arm.names(&pool("other")), ["app"], "it stays as long as it is bound");
}

#[tokio::test(start_paused = true)]
async fn with_all_nodes_a_new_scale_set_gets_what_is_bound_and_an_unbound_identity_goes_everywhere() {
    let mut stage = Stage::new();
    stage.strategy = Strategy::AllNodes;
    stage.node("a", "pool", 0);
    stage.start().await;
    stage.bound("app", "app");
    stage.until("on the first", |stage| stage.arm.names(&pool("pool")) == ["app"]).await;
    stage.node("far", "other", 0);
    stage.until("on the second", |stage| stage.arm.names(&pool("other")) == ["app"]).await;
    stage.api.delete("azureidentitybindings", "ids", "app");
    for name in ["pool", "other"] {
        stage.until("off", |stage| stage.arm.names(&pool(name)).is_empty()).await;
    }
    stage.until("nothing of ours is left", |stage| stage.ownership().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn with_all_nodes_the_owner_of_a_refused_identity_is_told_although_no_pod_asked() {
    let mut stage = Stage::new();
    stage.strategy = Strategy::AllNodes;
    stage.node("a", "pool", 0);
    stage.arm.refuse(identity_id("bad"));
    stage.bound("bad", "bad");
    stage.bound("app", "app");
    stage.start().await;
    stage.until("the other one is there", |stage| stage.arm.names(&pool("pool")) == ["app"]).await;
    let told = |stage: &Stage| {
        let said = |(reason, message): &(String, String)| {
            reason == "binding apply error" && message.starts_with("Binding bad cannot be applied: ")
        };
        stage.events().iter().any(said)
    };
    stage.until("told", told).await;
}
