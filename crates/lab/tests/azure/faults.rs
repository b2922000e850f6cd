//! What goes wrong on demand, and what does the trace tell?

use std::time::Duration;

use podid_lab::azure::{Azure, Effect, Fault, Role, Service, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::{ARM, CLIENT_SECRET, ENTRA, NODE_0, SECRET, STRANGER, VAULT, World};

#[tokio::test]
async fn a_fault_answers_in_the_form_of_its_service() {
    let world = World::new().await;
    let token = world.mic_token().await;
    for service in [Service::Imds, Service::Arm, Service::Entra, Service::Vault] {
        world.azure.set_fault(Fault::status(service, 503).retry_after(7));
    }
    let imds = world.token(NODE_0, "https://vault.azure.net", "").await;
    assert_eq!(
        (imds.oauth().0, imds.oauth().1, imds.header("retry-after")),
        (503, "service_unavailable", "7")
    );
    let arm = world.arm(&token, "GET", world.set.as_str(), &Value::Null).await;
    assert_eq!((arm.refusal(), arm.header("retry-after")), ((503, "ServiceUnavailable"), "7"));
    let entra = world.https(ENTRA, "GET", "/common/discovery/keys", &[], "").await;
    assert_eq!((entra.status, &entra.json["error"]), (503, &json!("temporarily_unavailable")));
    assert_eq!(world.https(VAULT, "GET", "/secrets/x", &[], "").await.refusal(), (503, "InternalError"));

    assert_eq!(world.token(NODE_0, "https://vault.azure.net", "").await.status, 200, "a fault is used up");
    assert_eq!(world.arm(&token, "GET", world.set.as_str(), &Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_connection_can_be_closed_without_an_answer() {
    let mut world = World::new().await;
    world.azure.set_fault(Fault::new(Service::Arm, Effect::Close));
    assert!(world.try_https(ARM, "GET", "/subscriptions", &[], "").await.is_none());
    assert!(world.try_https(ARM, "GET", "/subscriptions", &[], "").await.is_some());
    let statuses: Vec<_> = world.traced().iter().map(|trace| trace.status).collect();
    assert_eq!(statuses, [0, 401]);
}

#[tokio::test]
async fn a_write_is_done_although_its_answer_is_late_and_the_caller_is_gone() {
    let mut settings = Settings::default();
    settings.latency.arm_write = Duration::from_mins(1);
    let mut world = World::with(settings).await;
    let token = world.mic_token().await;
    let body =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {world.demo.id.as_str(): {}}}});
    let patience = Duration::from_millis(200);
    let patch = world.arm(&token, "PATCH", world.set.as_str(), &body);
    assert!(tokio::time::timeout(patience, patch).await.is_err());
    assert_eq!(world.azure.identities_on(&world.set).len(), 2);
    loop {
        let trace =
            tokio::time::timeout(Duration::from_secs(10), world.traces.recv()).await.unwrap().unwrap();
        if trace.what.starts_with("PATCH") {
            assert_eq!((trace.status, trace.detail.as_str()), (0, "the caller hung up"));
            break;
        }
    }
}

#[tokio::test]
async fn the_trace_says_who_asked_what_and_never_a_secret() {
    let mut world = World::new().await;
    world.azure.grant(&world.mic.principal_id, Role::KeyVaultSecretsUser, &world.group);
    let app = world.azure.register_application("app");
    world.azure.add_client_secret(&app.client_id, CLIENT_SECRET, Duration::from_mins(1)).unwrap();
    let arm = world.mic_token().await;
    let vault = world.bearer(NODE_0, "https://vault.azure.net", &world.mic).await;
    world.arm(&arm, "GET", world.set.as_str(), &Value::Null).await;
    world.arm(&vault, "GET", world.set.as_str(), &Value::Null).await;
    let bearer = format!("Bearer {vault}");
    world.https(VAULT, "GET", "/secrets/greeting?api-version=7.4", &[("authorization", &bearer)], "").await;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&resource=https://vault.azure.net",
        app.client_id,
        CLIENT_SECRET.replace(' ', "+")
    );
    let path = format!("/{}/oauth2/token", world.azure.tenant());
    let granted = world.https(ENTRA, "POST", &path, &[], form).await;
    let entra = granted.json["access_token"].as_str().expect("a token").to_owned();

    let traces = world.traced();
    let told: Vec<_> = traces.iter().map(|trace| (trace.service, trace.status)).collect();
    assert_eq!(
        told,
        [
            (Service::Imds, 200),
            (Service::Imds, 200),
            (Service::Arm, 200),
            (Service::Arm, 401),
            (Service::Vault, 200),
            (Service::Entra, 200),
        ]
    );
    assert_eq!((traces[0].caller, traces[2].caller), (NODE_0.into(), STRANGER.into()));
    assert_eq!(traces[4].what, "GET /secrets/greeting");
    assert_eq!(traces[0].detail, "token of mic for https://management.azure.com/");
    let all = format!("{traces:?}");
    for secret in [arm.as_str(), &vault, &entra, SECRET, CLIENT_SECRET] {
        assert!(!all.contains(secret));
        let signature = secret.rsplit('.').next().unwrap_or_default();
        assert!(!all.contains(signature));
    }
}

#[tokio::test]
async fn the_names_of_the_services_are_those_of_its_certificate() {
    let world = World::new().await;
    let hosts = world.azure.hosts();
    assert!(hosts.contains(&VAULT.to_owned()) && hosts.contains(&ARM.to_owned()));
    for host in hosts {
        let answer = world.https(&host, "GET", "/", &[], "").await;
        assert_ne!(answer.status, 421, "{host}");
    }
}

#[tokio::test]
async fn serving_ends_when_it_is_told_to() {
    let azure = Azure::new(Settings::default()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (azure, stop) = (azure.clone(), stop.clone());
        async move { azure.serve_imds(listener, stop).await }
    });
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
    drop(idle);
}
