//! Does a key vault ask for a token, check it, and give the secret to those who may have it?

use std::time::Duration;

use podid_lab::azure::Role;

use crate::world::{Answer, NODE_0, SECRET, VAULT, World, tampered};

const AUDIENCE: &str = "https://vault.azure.net";

async fn read(world: &World, token: &str, path: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    world.https(VAULT, "GET", &format!("{path}?api-version=7.4"), &[("authorization", &bearer)], "").await
}

#[tokio::test]
async fn the_first_answer_says_where_to_get_a_token() {
    let world = World::new().await;
    let answer = world.https(VAULT, "GET", "/secrets/greeting?api-version=7.4", &[], "").await;
    assert_eq!(answer.refusal(), (401, "Unauthorized"));
    assert_eq!(
        answer.header("www-authenticate"),
        format!(
            "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"{AUDIENCE}\"",
            world.azure.tenant()
        )
    );
}

#[tokio::test]
async fn a_reader_of_secrets_gets_the_secret_and_its_versions() {
    let world = World::new().await;
    world.azure.grant(&world.mic.principal_id, Role::KeyVaultSecretsUser, &world.group);
    let token = world.bearer(NODE_0, AUDIENCE, &world.mic).await;
    let first = read(&world, &token, "/secrets/greeting").await;
    assert_eq!((first.status, &first.json["value"]), (200, &SECRET.into()));
    let id = first.json["id"].as_str().unwrap().strip_prefix("https://labvault.vault.azure.net").unwrap();

    world.azure.set_secret("labvault", "greeting", "newer").unwrap();
    assert_eq!(read(&world, &token, "/secrets/Greeting").await.json["value"], "newer");
    assert_eq!(read(&world, &token, id).await.json["value"], SECRET);
    assert_eq!(read(&world, &token, "/secrets/greeting/0").await.refusal(), (404, "SecretNotFound"));
    assert_eq!(read(&world, &token, "/secrets/none").await.refusal(), (404, "SecretNotFound"));
    assert_eq!(read(&world, &token, "/keys/none").await.status, 404);
}

#[tokio::test]
async fn a_caller_without_the_role_does_not_learn_whether_the_secret_exists() {
    let world = World::new().await;
    world.azure.grant(&world.mic.principal_id, Role::Owner, &world.group);
    let token = world.bearer(NODE_0, AUDIENCE, &world.mic).await;
    for path in ["/secrets/greeting", "/secrets/none"] {
        let answer = read(&world, &token, path).await;
        assert_eq!(answer.refusal(), (403, "Forbidden"));
        assert_eq!(answer.json["error"]["innererror"]["code"], "ForbiddenByRbac");
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_the_vault_is_refused_and_says_why() {
    let world = World::new().await;
    world.azure.grant(&world.mic.principal_id, Role::KeyVaultSecretsUser, &world.group);
    let good = world.bearer(NODE_0, AUDIENCE, &world.mic).await;
    let slash = world.bearer(NODE_0, "https://vault.azure.net/", &world.mic).await;
    for (token, code) in [
        (world.mic_token().await, "AKV10022"),
        (slash, "AKV10022"),
        (tampered(&good), "AKV10046"),
        ("x".to_owned(), "AKV10046"),
    ] {
        let answer = read(&world, &token, "/secrets/greeting").await;
        assert_eq!(answer.refusal(), (401, "Unauthorized"));
        assert!(answer.message().contains(code), "{}", answer.message());
        assert!(!answer.header("www-authenticate").is_empty());
    }
    world.azure.advance(Duration::from_hours(24));
    let expired = read(&world, &good, "/secrets/greeting").await;
    assert_eq!(expired.status, 401);
    assert!(expired.message().contains("TokenExpired"));
}

#[tokio::test]
async fn a_request_names_a_version_of_the_protocol() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.bearer(NODE_0, AUDIENCE, &world.mic).await);
    let answer = world.https(VAULT, "GET", "/secrets/greeting", &[("authorization", &bearer)], "").await;
    assert_eq!(answer.refusal(), (400, "BadParameter"));
}

#[tokio::test]
async fn a_vault_that_nobody_made_does_not_exist() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.bearer(NODE_0, AUDIENCE, &world.mic).await);
    let headers = [("authorization", bearer.as_str())];
    let answer = world.https("none.vault.azure.net", "GET", "/secrets/x?api-version=7.4", &headers, "").await;
    assert_eq!(answer.refusal(), (404, "VaultNotFound"));
}
