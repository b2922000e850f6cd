//! Whom does ARM let in, and what does it say to the others?

use std::time::Duration;

use podid_lab::azure::{Bucket, Role, Settings};
use serde_json::{Value, json};

use crate::world::{ARM, NODE_0, World, tampered};

#[tokio::test]
async fn a_request_without_a_good_token_is_challenged() {
    let world = World::new().await;
    let path = format!("{}?api-version=2019-12-01", world.set);
    let bare = world.https(ARM, "GET", &path, &[], "").await;
    assert_eq!(bare.refusal(), (401, "AuthenticationFailed"));
    assert!(
        bare.header("www-authenticate").contains("authorization_uri=\"https://login.microsoftonline.com/")
    );

    let good = world.mic_token().await;
    let wrong_audience = world.bearer(NODE_0, "https://vault.azure.net", &world.mic).await;
    for (token, code) in [
        (tampered(&good), "InvalidAuthenticationToken"),
        ("nonsense".to_owned(), "InvalidAuthenticationToken"),
        (wrong_audience, "InvalidAuthenticationTokenAudience"),
    ] {
        assert_eq!(
            world.arm(&token, "GET", &world.set.to_string(), &Value::Null).await.refusal(),
            (401, code)
        );
    }
    assert_eq!(world.arm(&good, "GET", world.set.as_str(), &Value::Null).await.status, 200);
    world.azure.advance(Duration::from_hours(24));
    let expired = world.arm(&good, "GET", world.set.as_str(), &Value::Null).await;
    assert_eq!(expired.refusal(), (401, "ExpiredAuthenticationToken"));
}

#[tokio::test]
async fn a_caller_without_the_role_is_forbidden_even_what_does_not_exist() {
    let world = World::new().await;
    world.azure.attach(&world.set, &world.demo).unwrap();
    let token = world.bearer(NODE_0, "https://management.core.windows.net/", &world.demo).await;
    for id in [world.set.clone(), world.nodes.resource("Microsoft.Compute/virtualMachines", "none")] {
        let answer = world.arm(&token, "GET", id.as_str(), &Value::Null).await;
        assert_eq!(answer.refusal(), (403, "AuthorizationFailed"));
        assert!(answer.message().contains(&world.demo.principal_id) && answer.message().contains("/read'"));
    }
    world.azure.grant(&world.demo.principal_id, Role::Reader, &world.nodes);
    assert_eq!(world.arm(&token, "GET", world.set.as_str(), &Value::Null).await.status, 200);
    let body = json!({"identity": {"type": "None"}});
    assert_eq!(
        world.arm(&token, "PATCH", world.set.as_str(), &body).await.refusal(),
        (403, "AuthorizationFailed")
    );
}

#[tokio::test]
async fn every_request_names_a_version() {
    let world = World::new().await;
    let token = format!("Bearer {}", world.mic_token().await);
    for (query, code) in
        [("", "MissingApiVersionParameter"), ("?api-version=latest", "InvalidApiVersionParameter")]
    {
        let path = format!("{}{query}", world.set);
        let answer = world.https(ARM, "GET", &path, &[("authorization", &token)], "").await;
        assert_eq!(answer.refusal(), (400, code));
    }
    let path = format!("{}?Api-Version=2021-04-01-preview", world.set);
    assert_eq!(world.https(ARM, "GET", &path, &[("authorization", &token)], "").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    let token = world.mic_token().await;
    let (missing, nodes) = (world.nodes.resource("Microsoft.Compute/virtualMachines", "none"), &world.nodes);
    for (method, path, refusal) in [
        ("GET", missing.to_string(), (404, "ResourceNotFound")),
        ("PATCH", missing.to_string(), (404, "ResourceNotFound")),
        ("GET", format!("{nodes}/providers/Microsoft.Network/loadBalancers/x"), (404, "InvalidResourceType")),
        ("GET", "/nothing".to_owned(), (404, "NotFound")),
        ("DELETE", world.set.to_string(), (405, "MethodNotAllowed")),
    ] {
        let answer = world.arm(&token, method, &path, &json!({})).await;
        assert_eq!(answer.refusal(), refusal, "{method} {path}");
    }
}

#[tokio::test]
async fn ids_are_compared_without_case() {
    let world = World::new().await;
    let token = world.mic_token().await;
    let answer = world.arm(&token, "GET", world.set.as_str().to_uppercase(), &Value::Null).await;
    assert_eq!((answer.status, &answer.json["id"]), (200, &json!(world.set.as_str())));
}

#[tokio::test]
async fn answers_carry_request_ids_and_what_is_left_of_the_quota() {
    let world = World::new().await;
    let token = format!("Bearer {}", world.mic_token().await);
    let path = format!("{}?api-version=2019-12-01", world.set);
    let headers = [
        ("authorization", token.as_str()),
        ("x-ms-client-request-id", "mine"),
        ("x-ms-return-client-request-id", "true"),
    ];
    let answer = world.https(ARM, "GET", &path, &headers, "").await;
    assert_eq!(answer.header("x-ms-client-request-id"), "mine");
    assert_eq!(answer.header("x-ms-ratelimit-remaining-subscription-reads"), "249");
    assert!(answer.header("x-ms-ratelimit-remaining-resource").contains("Microsoft.Compute/"));
    assert!(
        !answer.header("x-ms-request-id").is_empty() && !answer.header("x-ms-routing-request-id").is_empty()
    );
}

#[tokio::test]
async fn a_caller_who_writes_too_often_is_told_when_to_come_again() {
    let mut settings = Settings::default();
    settings.limits.arm_writes = Some(Bucket { size: 2, per_second: 0.1 });
    let world = World::with(settings).await;
    let token = world.mic_token().await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(world.arm(&token, "PATCH", world.set.as_str(), &json!({})).await);
    }
    assert_eq!(answers[0].header("x-ms-ratelimit-remaining-subscription-writes"), "1");
    assert_eq!(answers[1].status, 200);
    assert_eq!(answers[2].refusal(), (429, "TooManyRequests"));
    let wait: u64 = answers[2].header("retry-after").parse().unwrap();
    assert_eq!(world.arm(&token, "GET", world.set.as_str(), &Value::Null).await.status, 200);
    world.azure.advance(Duration::from_secs(wait));
    assert_eq!(world.arm(&token, "PATCH", world.set.as_str(), &json!({})).await.status, 200);
}
