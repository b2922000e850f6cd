//! How do identities get onto machines and off again?

use std::time::Duration;

use podid_lab::azure::{ArmId, Effect, Fault, ManagedIdentity, Service, Settings};
use serde_json::{Value, json};

use crate::world::{ARM, Answer, NODE_0, World};

const VAULT: &str = "https://vault.azure.net";

fn change(kind: &str, users: &Value) -> Value {
    json!({"identity": {"type": kind, "userAssignedIdentities": users}})
}

fn add(identity: &ManagedIdentity) -> Value {
    change("UserAssigned", &json!({identity.id.as_str().to_lowercase(): {}}))
}

fn remove(identity: &ManagedIdentity) -> Value {
    change("UserAssigned", &json!({identity.id.as_str().to_lowercase(): null}))
}

fn users(answer: &Answer) -> Vec<String> {
    let map = answer.json["identity"]["userAssignedIdentities"].as_object().cloned().unwrap_or_default();
    map.keys().map(|key| key.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

fn slow() -> Settings {
    let mut settings = Settings::default();
    settings.assignment.patch = Duration::from_secs(40);
    settings.assignment.propagation = Duration::from_secs(10);
    settings
}

#[tokio::test]
async fn a_patch_adds_and_removes_and_leaves_the_rest() {
    let world = World::new().await;
    let (token, set) = (world.mic_token().await, world.set.as_str());
    let added = world.arm(&token, "PATCH", set, &add(&world.demo)).await;
    assert_eq!((added.status, users(&added)), (200, vec!["Demo".to_owned(), "mic".to_owned()]));
    let keys = added.json["identity"]["userAssignedIdentities"].as_object().unwrap();
    assert!(keys.keys().all(|key| key.contains("/resourcegroups/")));
    assert!(keys.values().any(|inner| inner["clientId"] == world.demo.client_id.as_str()));
    assert_eq!(world.azure.identities_on(&world.set).len(), 2);

    let removed = world.arm(&token, "PATCH", set, &remove(&world.demo)).await;
    assert_eq!((removed.status, users(&removed)), (200, vec!["mic".to_owned()]));
    let none = world.arm(&token, "PATCH", set, &json!({"identity": {"type": "None"}})).await;
    assert_eq!((none.status, none.json.get("identity")), (200, None));
}

#[tokio::test]
async fn a_type_without_the_system_identity_loses_it() {
    let world = World::new().await;
    let own = world.azure.enable_system_identity(&world.vm).unwrap();
    let (token, vm) = (world.mic_token().await, world.vm.as_str());
    let id = world.demo.id.as_str();
    let kept =
        world.arm(&token, "PATCH", vm, &change("SystemAssigned, UserAssigned", &json!({id: {}}))).await;
    assert_eq!(kept.json["identity"]["principalId"], own);
    assert_eq!(kept.json["identity"]["type"], "SystemAssigned, UserAssigned");
    let lost = world.arm(&token, "PATCH", vm, &change("UserAssigned", &json!({id: {}}))).await;
    assert_eq!(
        (&lost.json["identity"]["type"], lost.json["identity"].get("principalId")),
        (&json!("UserAssigned"), None)
    );
}

#[tokio::test]
async fn a_new_identity_reaches_imds_with_delay() {
    let mut settings = Settings::default();
    settings.assignment.propagation = Duration::from_secs(10);
    let world = World::with(settings).await;
    let token = world.mic_token().await;
    assert_eq!(world.arm(&token, "PATCH", world.set.as_str(), &add(&world.demo)).await.status, 200);
    let selector = format!("&client_id={}", world.demo.client_id);
    assert_eq!(
        world.token(NODE_0, VAULT, &selector).await.oauth(),
        (400, "invalid_request", "Identity not found")
    );
    world.azure.advance(Duration::from_secs(10));
    assert_eq!(world.token(NODE_0, VAULT, &selector).await.status, 200);
}

#[tokio::test]
async fn an_operation_takes_its_time_and_can_be_followed() {
    let world = World::with(slow()).await;
    let (token, set) = (world.mic_token().await, world.set.as_str());
    let accepted = world.arm(&token, "PATCH", set, &add(&world.demo)).await;
    assert_eq!((accepted.status, accepted.header("retry-after")), (202, "1"));
    assert_eq!(accepted.json["properties"]["provisioningState"], "Updating");
    let path = |url: &str| url.strip_prefix("https://management.azure.com").unwrap().to_owned();
    let (status, location) =
        (path(accepted.header("azure-asyncoperation")), path(accepted.header("location")));
    let bearer = format!("Bearer {token}");
    let ask = async |path: &str| world.https(ARM, "GET", path, &[("authorization", &bearer)], "").await;

    let running = ask(&status).await;
    assert_eq!((running.status, &running.json["status"]), (200, &json!("InProgress")));
    assert_eq!((running.header("retry-after"), ask(&location).await.status), ("1", 202));
    assert_eq!(users(&world.arm(&token, "GET", set, &Value::Null).await), ["mic"]);

    world.azure.advance(Duration::from_secs(40));
    assert_eq!(ask(&status).await.json["status"], "Succeeded");
    assert_eq!(users(&ask(&location).await), ["Demo", "mic"]);
    let selector = format!("&client_id={}", world.demo.client_id);
    assert_eq!(world.token(NODE_0, VAULT, &selector).await.status, 400);
    world.azure.advance(Duration::from_secs(10));
    assert_eq!(world.token(NODE_0, VAULT, &selector).await.status, 200);
    assert_eq!(ask(&status.replace("/operations/", "/operations/0")).await.status, 404);
}

#[tokio::test]
async fn a_second_change_waits_for_the_first() {
    let world = World::with(slow()).await;
    let (token, set) = (world.mic_token().await, world.set.as_str());
    assert_eq!(world.arm(&token, "PATCH", set, &add(&world.demo)).await.status, 202);
    assert_eq!(world.arm(&token, "PATCH", set, &add(&world.demo)).await.refusal(), (409, "Conflict"));
    assert_eq!(world.arm(&token, "PATCH", world.vm.as_str(), &add(&world.demo)).await.status, 202);
    world.azure.advance(Duration::from_secs(40));
    assert_eq!(world.arm(&token, "PATCH", set, &remove(&world.demo)).await.status, 202);

    world.azure.configure(|settings| settings.assignment.refuse_concurrent = false);
    assert_eq!(world.arm(&token, "PATCH", set, &add(&world.demo)).await.status, 202);
    world.azure.advance(Duration::from_secs(40));
    assert_eq!(world.azure.identities_on(&world.set).len(), 2);
}

#[tokio::test]
async fn an_operation_that_fails_changes_nothing() {
    let world = World::with(slow()).await;
    let (token, set) = (world.mic_token().await, world.set.as_str());
    let effect = Effect::FailOperation { code: "InternalExecutionError".into(), message: "no luck".into() };
    world.azure.set_fault(Fault::new(Service::Arm, effect).on("PATCH"));
    let accepted = world.arm(&token, "PATCH", set, &add(&world.demo)).await;
    assert_eq!(accepted.status, 202);
    world.azure.advance(Duration::from_secs(40));
    let status =
        accepted.header("azure-asyncoperation").strip_prefix("https://management.azure.com").unwrap();
    let ended = world.https(ARM, "GET", status, &[("authorization", &format!("Bearer {token}"))], "").await;
    assert_eq!(ended.json["status"], "Failed");
    assert_eq!(ended.refusal(), (200, "InternalExecutionError"));
    assert_eq!(world.azure.identities_on(&world.set), std::slice::from_ref(&world.mic.id));
}

#[tokio::test]
async fn identities_that_the_caller_may_not_assign_are_named() {
    let world = World::new().await;
    let (token, set) = (world.mic_token().await, world.set.as_str());
    let (good, bad) = (world.demo.id.as_str(), world.foreign.id.as_str());
    let missing = world
        .azure
        .create_group("elsewhere")
        .resource("Microsoft.ManagedIdentity/userAssignedIdentities", "no");
    let body = change("UserAssigned", &json!({good: {}, bad: {}, missing.as_str(): {}}));
    let refused = world.arm(&token, "PATCH", set, &body).await;
    assert_eq!(refused.refusal(), (403, "LinkedAuthorizationFailed"));
    assert!(
        refused.message().contains(&format!("on the linked scope(s) '{bad},{missing}'")),
        "{}",
        refused.message()
    );
    assert!(!refused.message().contains(good));
    assert_eq!(world.azure.identities_on(&world.set), std::slice::from_ref(&world.mic.id));
    let removal = world.arm(&token, "PATCH", set, &remove(&world.foreign)).await;
    assert_eq!(removal.status, 200, "taking an identity away needs no right on it");
}

#[tokio::test]
async fn an_identity_that_does_not_exist_fails_the_whole_request() {
    let world = World::new().await;
    let missing = world.group.resource("Microsoft.ManagedIdentity/userAssignedIdentities", "none");
    let body = change("UserAssigned", &json!({world.demo.id.as_str(): {}, missing.as_str(): {}}));
    let refused = world.arm(&world.mic_token().await, "PATCH", world.set.as_str(), &body).await;
    assert_eq!(refused.refusal(), (400, "FailedIdentityOperation"));
    assert!(refused.message().contains(&format!("Resource '{missing}' was not found.")));
    assert_eq!(world.azure.identities_on(&world.set).len(), 1);
}

#[tokio::test]
async fn one_request_carries_150_identities_and_no_more() {
    let world = World::new().await;
    let token = world.mic_token().await;
    let ids: Vec<ArmId> =
        (0..151).map(|n| world.azure.create_identity(&world.group, &format!("i{n}")).unwrap().id).collect();
    let body = |count: usize| {
        let users: serde_json::Map<_, _> =
            ids[..count].iter().map(|id| (id.to_string(), json!({}))).collect();
        change("UserAssigned", &Value::Object(users))
    };
    let refused = world.arm(&token, "PATCH", world.set.as_str(), &body(151)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("'151' Assign exceed limit '150' in one request"));
    assert_eq!(world.arm(&token, "PATCH", world.set.as_str(), &body(150)).await.status, 200);
    assert_eq!(world.azure.identities_on(&world.set).len(), 151);
}

#[tokio::test]
async fn a_write_on_a_condition_that_does_not_hold_is_refused() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.mic_token().await);
    let path = format!("{}?api-version=2024-07-01", world.set);
    let ask = async |method: &str, header: (&str, &str), body: Value| {
        world.https(ARM, method, &path, &[("authorization", &bearer), header], body.to_string()).await
    };
    let before = ask("GET", ("accept", "*/*"), Value::Null).await;
    let etag = before.header("etag").to_owned();
    assert_eq!(before.json["etag"], etag.as_str());
    assert_eq!(ask("PATCH", ("if-match", &etag), add(&world.demo)).await.status, 200);
    assert_eq!(
        ask("PATCH", ("if-match", &etag), remove(&world.demo)).await.refusal(),
        (412, "PreconditionFailed")
    );
    assert_eq!(ask("PATCH", ("if-none-match", "*"), remove(&world.demo)).await.status, 412);
    assert_eq!(ask("PATCH", ("if-match", "*"), remove(&world.demo)).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_not_understood_is_refused_with_its_reason() {
    let world = World::new().await;
    let token = world.mic_token().await;
    let mic = world.mic.id.as_str();
    for (body, refusal) in [
        (json!([]), (400, "InvalidRequestContent")),
        (json!({"identity": {"type": "Mine"}}), (400, "InvalidParameter")),
        (change("SystemAssigned", &json!({mic: {}})), (400, "BadRequest")),
        (change("UserAssigned", &json!({mic: 1})), (400, "InvalidIdentityValues")),
        (change("UserAssigned", &json!({"/nothing": {}})), (400, "InvalidParameter")),
        (change("UserAssigned", &json!({mic: null})), (400, "MissingIdentityIds")),
    ] {
        let answer = world.arm(&token, "PATCH", world.set.as_str(), &body).await;
        assert_eq!(answer.refusal(), refusal, "{body}");
    }
    assert_eq!(world.azure.identities_on(&world.set), std::slice::from_ref(&world.mic.id));
}
