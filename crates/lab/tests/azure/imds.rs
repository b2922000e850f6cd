//! Does IMDS hand out tokens and metadata as documented?

use std::time::Duration;

use podid_lab::azure::{Bucket, Settings};
use serde_json::json;

use crate::world::{NODE_0, NODE_1, POD, STRANGER, VM, World, claims};

const TOKEN: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";
const VAULT: &str = "https://vault.azure.net";

#[tokio::test]
async fn every_selector_finds_the_identity() {
    let world = World::new().await;
    world.azure.attach(&world.set, &world.demo).unwrap();
    let (demo, id) = (&world.demo, world.demo.id.as_str().to_lowercase().replace('/', "%2F"));
    for selector in [
        format!("&client_id={}", demo.client_id),
        format!("&object_id={}", demo.principal_id.to_uppercase()),
        format!("&msi_res_id={id}"),
        format!("&mi_res_id={id}"),
    ] {
        let answer = world.token(NODE_0, VAULT, &selector).await;
        assert_eq!(answer.status, 200, "{selector}: {}", answer.text);
        assert_eq!(answer.json["client_id"], demo.client_id.as_str());
        assert_eq!(claims(answer.json["access_token"].as_str().unwrap())["oid"], demo.principal_id.as_str());
    }
    let newer = world.imds(NODE_1, "/metadata/identity/oauth2/token/?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&bypass_cache=true&client_id=").await;
    assert!(newer.text.contains("Multiple user assigned identities exist"), "{}", newer.text);
}

#[tokio::test]
async fn all_values_of_a_token_are_strings_and_its_claims_are_the_usual() {
    let world = World::new().await;
    let answer = world.token(NODE_0, "https://management.azure.com/", "").await;
    let fields = answer.json.as_object().unwrap();
    for name in
        ["access_token", "expires_in", "expires_on", "not_before", "resource", "token_type", "client_id"]
    {
        assert!(fields[name].is_string(), "{name}");
    }
    assert_eq!(answer.json["expires_in"], "86400");
    let claims = claims(answer.json["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], "https://management.azure.com/");
    assert_eq!(claims["appid"], world.mic.client_id.as_str());
    assert_eq!(claims["tid"], world.azure.tenant());
    let resource = claims["xms_mirid"].as_str().unwrap();
    assert!(resource.contains("/resourcegroups/") && resource.eq_ignore_ascii_case(world.mic.id.as_str()));
}

#[tokio::test]
async fn a_bad_request_is_refused_as_documented() {
    let world = World::new().await;
    let metadata = ("Metadata", "true");
    let forwarded = ("X-Forwarded-For", "10.0.0.1");
    let token = |rest: &str| format!("{TOKEN}{rest}");
    let ok = token("&resource=https://vault.azure.net");
    let cases = [
        ("GET", ok.clone(), vec![], 400, "invalid_request", "Required metadata header not specified"),
        ("GET", ok.clone(), vec![("Metadata", "yes")], 400, "invalid_request", "Required metadata header"),
        ("GET", ok.clone(), vec![metadata, forwarded], 400, "invalid_request", "X-Forwarded-For"),
        ("POST", ok.clone(), vec![metadata], 405, "method_not_allowed", ""),
        ("GET", token(""), vec![metadata], 400, "invalid_request", "'resource' is missing"),
        ("GET", token("&resource="), vec![metadata], 400, "invalid_request", "'resource' is missing"),
        ("GET", token("&resource=a&resource=b"), vec![metadata], 400, "invalid_request", "more than once"),
        (
            "GET",
            ok.replace("api-version=2018-02-01&", ""),
            vec![metadata],
            400,
            "invalid_request",
            "'api-version'",
        ),
        (
            "GET",
            ok.replace("2018-02-01", "2017-08-01"),
            vec![metadata],
            400,
            "invalid_request",
            "'api-version'",
        ),
        (
            "GET",
            ok.clone() + "&client_id=a&object_id=b",
            vec![metadata],
            400,
            "invalid_request",
            "Only one of",
        ),
        (
            "GET",
            ok.clone() + "&msi_res_id=a&mi_res_id=a",
            vec![metadata],
            400,
            "invalid_request",
            "Only one of",
        ),
        (
            "GET",
            ok.clone() + "&client_id=a&client_id=a",
            vec![metadata],
            400,
            "invalid_request",
            "more than once",
        ),
        ("GET", ok.clone() + "&bypass_cache=false", vec![metadata], 400, "invalid_request", "bypass_cache"),
        (
            "GET",
            ok.clone() + "&client_id=nobody",
            vec![metadata],
            400,
            "invalid_request",
            "Identity not found",
        ),
        (
            "GET",
            token("&resource=https://example.com"),
            vec![metadata],
            400,
            "invalid_resource",
            "AADSTS500011",
        ),
        (
            "GET",
            "/metadata/identity/getplatformmetadata?cred-api-version=2.0".into(),
            vec![metadata],
            404,
            "not_found",
            "",
        ),
    ];
    for (method, path, headers, status, error, description) in cases {
        let answer = world.imds_with(NODE_0, method, &path, &headers).await;
        let (found_status, found_error, found) = answer.oauth();
        assert_eq!((found_status, found_error), (status, error), "{method} {path}: {}", answer.text);
        assert!(found.contains(description), "{method} {path}: {found}");
    }
}

#[tokio::test]
async fn a_machine_gets_only_what_is_on_it() {
    let world = World::new().await;
    let selector = format!("&client_id={}", world.mic.client_id);
    assert_eq!(world.token(NODE_1, VAULT, &selector).await.status, 200);
    let other = world.token(VM, VAULT, &selector).await;
    assert_eq!(other.oauth(), (400, "invalid_request", "Identity not found"));
    assert_eq!(world.token(STRANGER, VAULT, &selector).await.status, 404);
}

#[tokio::test]
async fn the_machines_own_identity_is_the_default() {
    let world = World::new().await;
    let own = world.azure.enable_system_identity(&world.set).unwrap();
    let answer = world.token(NODE_0, VAULT, "").await;
    assert_eq!(claims(answer.json["access_token"].as_str().unwrap())["oid"], own);
    assert_eq!(world.token(VM, VAULT, "").await.oauth(), (400, "invalid_request", "Identity not found"));
}

#[tokio::test]
async fn a_call_from_a_pod_is_answered_and_told_apart_in_the_trace() {
    let mut world = World::new().await;
    assert_eq!(world.token(POD, VAULT, "").await.status, 200);
    assert_eq!(world.token(NODE_0, VAULT, "").await.status, 200);
    let from_pod: Vec<_> = world.traced().iter().map(|trace| trace.from_pod).collect();
    assert_eq!(from_pod, [true, false]);
}

#[tokio::test]
async fn letter_case_does_not_hide_a_token_request() {
    let world = World::new().await;
    let path = "/Metadata/IDENTITY/%6fauth2//token?api-version=2018-02-01&resource=https://vault.azure.net";
    assert_eq!(world.imds(NODE_0, path).await.status, 200);
}

#[tokio::test]
async fn a_machine_that_asks_too_often_is_throttled_alone() {
    let mut settings = Settings::default();
    settings.limits.imds = Some(Bucket { size: 1, per_second: 0.001 });
    let world = World::with(settings).await;
    world.azure.attach(&world.vm, &world.mic).unwrap();
    assert_eq!(world.token(NODE_0, VAULT, "").await.status, 200);
    assert_eq!(world.token(NODE_0, VAULT, "").await.oauth(), (429, "too_many_requests", "Too many requests"));
    assert_eq!(world.token(VM, VAULT, "").await.status, 200);
    world.azure.advance(Duration::from_secs(1000));
    assert_eq!(world.token(NODE_0, VAULT, "").await.status, 200);
}

#[tokio::test]
async fn a_scale_set_instance_reads_its_own_metadata() {
    let world = World::new().await;
    let answer = world.imds(NODE_1, "/metadata/instance?api-version=2017-08-01").await;
    let compute = &answer.json["compute"];
    assert_eq!(compute["name"], "set_1");
    assert_eq!(compute["vmScaleSetName"], "set");
    assert_eq!(compute["resourceGroupName"], "MC_lab");
    assert_eq!(compute["subscriptionId"], world.azure.subscription());
    assert_eq!(compute["osProfile"]["computerName"], "node-1");
    assert_eq!(
        answer.json["network"]["interface"][0]["ipv4"]["ipAddress"][0]["privateIpAddress"],
        "127.0.0.3"
    );

    let vm = world.imds(VM, "/metadata/instance/compute?api-version=2021-02-01").await;
    assert_eq!((&vm.json["name"], &vm.json["vmScaleSetName"]), (&json!("vm"), &json!("")));
}

#[tokio::test]
async fn a_single_value_comes_as_text_only() {
    let world = World::new().await;
    let leaf = "/metadata/instance/compute/location?api-version=2021-02-01";
    assert_eq!(world.imds(VM, leaf).await.status, 400);
    assert_eq!(world.imds(VM, &format!("{leaf}&format=text")).await.text, "westeurope");
    assert_eq!(world.imds(VM, "/metadata/instance/nothing?api-version=2021-02-01").await.status, 404);
}

#[tokio::test]
async fn instance_metadata_without_a_known_version_names_the_newest() {
    let world = World::new().await;
    for path in ["/metadata/instance", "/metadata/instance?api-version=2016-01-01"] {
        let answer = world.imds(VM, path).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json["error"].as_str().unwrap().starts_with("Bad request. api-version"));
        assert_eq!(answer.json["newest-versions"], json!(["2025-04-07", "2024-07-17", "2024-03-15"]));
    }
    let versions = world.imds(VM, "/metadata/versions").await;
    assert_eq!(versions.json["apiVersions"][0], "2017-03-01");
}

#[tokio::test]
async fn the_other_routes_have_the_same_header_rules() {
    let world = World::new().await;
    for path in ["/metadata/instance?api-version=2021-02-01", "/metadata/versions"] {
        let bare = world.imds_with(VM, "GET", path, &[]).await;
        assert_eq!(bare.status, 400);
        assert_eq!(bare.json["error"], "Bad request. Required metadata header not specified");
        let forwarded = [("Metadata", "true"), ("X-Forwarded-For", "10.0.0.1")];
        assert_eq!(world.imds_with(VM, "GET", path, &forwarded).await.status, 400);
        assert_eq!(world.imds_with(VM, "DELETE", path, &[("Metadata", "true")]).await.status, 405);
    }
    assert_eq!(world.imds(VM, "/").await.status, 404);
}
