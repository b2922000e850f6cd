//! Which pods get what, as the cluster's objects change.

use serde_json::json;

use crate::testing::{Stage, pool};

#[tokio::test(start_paused = true)]
async fn a_changed_label_exchanges_one_identity_for_the_other() {
    let stage = Stage::running().await;
    stage.bound("one", "one");
    stage.bound("two", "two");
    stage.pod("web", "p", "one", "a");
    stage.until("assigned", |stage| stage.state("p-web-one").as_deref() == Some("Assigned")).await;
    stage.pod("web", "p", "two", "a");
    stage.until("exchanged", |stage| stage.are_assigned(1) && stage.state("p-web-two").is_some()).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["two"]);
}

#[tokio::test(start_paused = true)]
async fn an_identity_edited_in_place_is_assigned_anew_under_the_same_name() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.managed("app", "other");
    stage
        .until("changed", |stage| stage.arm.names(&pool("pool")) == ["other"] && stage.are_assigned(1))
        .await;
    let record = stage.api.get("azureassignedidentities", "default", "p-web-app").unwrap();
    assert_eq!(record["spec"]["azureIdentityRef"]["spec"]["clientID"], "client-other");
}

#[tokio::test(start_paused = true)]
async fn w32_an_edited_label_writes_nothing() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.settle().await;
    stage.api.forget_writes();
    let spec = stage.api.get("azureidentities", "ids", "app").unwrap()["spec"].clone();
    stage.azure_identity("app", &spec, &json!({"team": "blue"}));
    stage.settle().await;
    assert_eq!(stage.api.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn w12_pods_whose_records_would_share_a_name_both_get_one() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("b-c", "a", "app", "a");
    stage.pod("c", "a-b", "app", "a");
    stage.until("both", |stage| stage.are_assigned(2)).await;
    let names = stage.records();
    assert!(names.iter().any(|(name, _)| name == "a-b-c-app"), "{names:?}");
    stage.no_pod("b-c", "a");
    stage.until("one left", |stage| stage.are_assigned(1)).await;
    assert_eq!(stage.arm.names(&pool("pool")), ["app"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_principal_is_assigned_without_arm() {
    let stage = Stage::running().await;
    let secret = json!({"name": "secret", "namespace": "ids"});
    let spec = json!({"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": secret});
    stage.azure_identity("sp", &spec, &json!({}));
    stage.binding("sp", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    assert_eq!((stage.arm.reads(), stage.arm.patches().len()), (0, 0));
    assert_eq!(stage.ownership(), "");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_identity_is_told_to_its_owner_and_disturbs_nobody() {
    let stage = Stage::running().await;
    stage.azure_identity("bad", &json!({"resourceID": "/nonsense", "clientID": "c"}), &json!({}));
    stage.binding("bad", "app");
    stage.bound("good", "app");
    stage.pod("web", "p", "app", "a");
    stage.until("the good one", |stage| stage.are_assigned(1)).await;
    stage.settle().await;
    let told = stage.events();
    assert!(
        told.iter().any(|(reason, text)| reason == "identity invalid" && text.contains("/nonsense")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn w36_a_finished_pod_gives_its_identity_back() {
    let stage = Stage::running().await;
    stage.bound("app", "app");
    stage.pod("web", "job", "app", "a");
    stage.until("assigned", |stage| stage.are_assigned(1)).await;
    stage.pod_in_phase("web", "job", "app", "a", "Succeeded");
    stage.until("released", |stage| stage.records().is_empty()).await;
    assert_eq!(stage.arm.names(&pool("pool")), [""; 0]);
}
