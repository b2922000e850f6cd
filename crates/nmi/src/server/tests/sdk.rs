//! Does every SDK get its token, its patience and its refusal in a form that it understands?
//!
//! What SDKs send and expect is in `recorded.rs`. docs/reference/sdks.md says which rules follow from it.

mod client;
mod page;
mod recorded;

use std::time::Duration;

use podid_core::facts::{AssignmentState, Pod};

use super::stage::{METADATA, Says, Stage, TOKEN, VAULT, assignment, client_id, old_pod, pod};
use super::wire::Wire;
use client::Wanted;
use recorded::{ALL, Probe, Sdk};

const POD: &str = "10.0.0.1";
const CLIENT_B: &str = "00000000-0000-0000-0000-client-b";

/// The SDKs that ask again after a 503.
fn patient() -> impl Iterator<Item = &'static Sdk> {
    ALL.iter().filter(|sdk| !sdk.pauses.is_empty())
}

/// A pod with the address, and in standard mode an assignment of identity `web` in this state.
async fn with_assignment(reached: AssignmentState) -> Stage {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("shop", "web", POD));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", reached));
    stage.imds.has(&["web"]);
    stage.settle().await;
    stage
}

/// A pod with the identities `a` and `b`.
async fn with_two_identities(address: &str) -> Stage {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(old_pod("shop", "web", address));
    for name in ["a", "b"] {
        stage.cluster.apply_assignment(assignment("shop", "web", name, AssignmentState::Assigned));
    }
    stage.imds.has(&["a", "b"]);
    stage.settle().await;
    stage
}

#[tokio::test]
async fn probe_and_token_requests_of_every_sdk_are_understood_byte_for_byte_on_one_connection() {
    let stage = with_two_identities("127.0.0.1").await;
    for sdk in ALL {
        let mut wire = Wire::to(&stage).await;
        if let Some(probe) = sdk.probe() {
            wire.write(&probe).await;
            let (head, body) = wire.read().await;
            assert!(head.starts_with("http/1.1 400 "), "{}: {head}", sdk.name);
            // .NET would take this for a machine without the identity.
            assert!(!body.contains("Identity not found"), "{}: {body}", sdk.name);
        }
        for (wanted, gets) in [
            (Wanted::Any, "a"),
            (Wanted::Client(CLIENT_B), "b"),
            (Wanted::Resource("b"), "b"),
            (Wanted::Object("object-b"), "b"),
        ] {
            let Some(request) = sdk.request(wanted) else { continue };
            wire.write(&request).await;
            let (head, body) = wire.read().await;
            assert!(head.starts_with("http/1.1 200 "), "{} {wanted:?}: {head}", sdk.name);
            assert!(head.contains("content-type: application/json\r\n"), "{}: {head}", sdk.name);
            let token: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(token["client_id"], client_id(gets), "{} {wanted:?}", sdk.name);
            let now = stage.now();
            assert!(
                sdk.read(&body, now).is_ok_and(|left| left > 300),
                "{}: {:?}",
                sdk.name,
                sdk.read(&body, now)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_probe_waits_though_nobody_knows_the_pod_yet() {
    let stage = Stage::starting(podid_core::answer::Mode::Standard, |_| {}).await;
    for sdk in ALL {
        let Some(probe) = sdk.probe else { continue };
        let target = match probe {
            Probe::Whole => sdk.target(Wanted::Any).unwrap(),
            Probe::Path | Probe::PathWithMetadata => TOKEN.to_owned(),
            Probe::Version => format!("{}?api-version={}", TOKEN, sdk.api_version),
        };
        let metadata: &[_] = if probe == Probe::PathWithMetadata { &[METADATA] } else { &[] };
        let told = stage.send("10.9.9.9", "GET", &target, metadata).await;
        assert_eq!((told.status, told.after.as_millis()), (400, 0), "{}", sdk.name);
        told.reason();
    }
    assert!(stage.imds.seen().is_empty() && stage.cluster.live.lock().unwrap().questions == 0);
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_takes_forty_seconds_is_one_call_for_every_sdk() {
    for sdk in ALL {
        let stage = with_assignment(AssignmentState::Created).await;
        let arrive = async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
        };
        let (ended, ()) = tokio::join!(sdk.ask(&stage, POD, Wanted::Any), arrive);
        assert!(ended.outcome.is_ok() && ended.tries == 1, "{}: {ended:?}", sdk.name);
    }
}

#[tokio::test(start_paused = true)]
async fn an_assignment_that_outlasts_two_holds_is_still_met_by_every_sdk_that_asks_again() {
    let mut met = 0;
    for sdk in patient() {
        let stage = with_assignment(AssignmentState::Created).await;
        let arrive = async {
            tokio::time::sleep(Duration::from_secs(108)).await;
            stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Assigned));
        };
        let (ended, ()) = tokio::join!(sdk.ask(&stage, POD, Wanted::Any), arrive);
        assert!(ended.outcome.is_ok() && ended.tries > 1, "{}: {ended:?}", sdk.name);
        met += 1;
    }
    assert_eq!(met, ALL.len() - 2, "only nodeauth and az never ask again");
}

#[tokio::test(start_paused = true)]
async fn what_can_never_come_ends_every_sdk_at_its_first_call() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(Pod { labels: [].into(), ..pod("shop", "bare", POD) });
    stage.settle().await;
    for sdk in ALL {
        let ended = sdk.ask(&stage, POD, Wanted::Any).await;
        let told = ended.outcome.unwrap_err();
        assert_eq!((told.status, ended.tries, told.after.as_millis()), (400, 1, 0), "{}", sdk.name);
        assert!(told.reason().starts_with("Identity not found: pod shop/bare"), "{}", told.reason());
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_id_that_az_sends_as_client_id_is_refused_at_once_so_that_it_tries_again_as_what_it_is() {
    let stage = with_two_identities(POD).await;
    let az = ALL.iter().find(|sdk| sdk.name == "az-2024").unwrap();
    let first = az.ask(&stage, POD, Wanted::Client("object-b")).await.outcome.unwrap_err();
    assert_eq!((first.status, first.after.as_millis()), (400, 0), "{}", first.body);
    assert!(az.ask(&stage, POD, Wanted::Object("object-b")).await.outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_imds_that_fails_for_thirty_seconds_is_not_noticed_by_any_sdk() {
    for says in [Says::Reply(500, vec![], ""), Says::Reply(429, vec![("retry-after", "10")], "")] {
        for sdk in ALL {
            let stage = with_assignment(AssignmentState::Assigned).await;
            stage.imds.says(says.clone());
            let recover = async {
                tokio::time::sleep(Duration::from_secs(30)).await;
                stage.imds.says(Says::Truth);
            };
            let (ended, ()) = tokio::join!(sdk.ask(&stage, POD, Wanted::Any), recover);
            assert!(ended.outcome.is_ok() && ended.tries == 1, "{}: {ended:?}", sdk.name);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_imds_that_fails_for_longer_is_outlasted_by_every_sdk_that_asks_again() {
    for sdk in patient() {
        let stage = with_assignment(AssignmentState::Assigned).await;
        stage.imds.says(Says::Reply(503, vec![], ""));
        let recover = async {
            tokio::time::sleep(Duration::from_secs(80)).await;
            stage.imds.says(Says::Truth);
        };
        let (ended, ()) = tokio::join!(sdk.ask(&stage, POD, Wanted::Any), recover);
        assert!(ended.outcome.is_ok() && ended.tries > 1, "{}: {ended:?}", sdk.name);
    }
}

#[tokio::test(start_paused = true)]
async fn no_sdk_uses_a_cached_token_past_its_end() {
    for sdk in ALL {
        let stage = with_assignment(AssignmentState::Assigned).await;
        stage.imds.tokens_live(3600);
        let first = sdk.ask(&stage, POD, Wanted::Any).await.outcome.unwrap();
        tokio::time::advance(Duration::from_mins(30)).await;
        let second = sdk.ask(&stage, POD, Wanted::Any).await.outcome.unwrap();
        assert!(first <= 3600 && (1795..=1800).contains(&second), "{}: {first} then {second}", sdk.name);
        assert_eq!(stage.imds.seen().len(), 1, "{}", sdk.name);
    }
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_json_with_a_code_and_a_reason_whatever_the_status_and_route() {
    let stage = with_two_identities(POD).await;
    stage.cluster.apply_pod(Pod { labels: [].into(), ..pod("shop", "bare", "10.0.0.2") });
    stage.settle().await;
    let token = format!("{TOKEN}?{VAULT}");
    let told = vec![
        stage.send(POD, "GET", &token, &[]).await,
        stage.send(POD, "GET", &token, &[METADATA, ("x-forwarded-for", "10.0.0.9")]).await,
        stage.send(POD, "POST", &token, &[METADATA]).await,
        stage.get(POD, TOKEN).await,
        stage.get(POD, &format!("{token}&resource=again")).await,
        stage.get(POD, "/metadata/identity/info").await,
        stage.get(POD, "/metadata/v2/identity/getplatformmetadata").await,
        stage.get(POD, "/metadata/attested/document").await,
        stage.get(POD, "/host/token/").await,
        stage.get("10.0.0.2", &token).await,
        stage.get("10.0.0.99", &token).await,
    ];
    let mut statuses: Vec<_> = told.iter().map(|told| told.status).collect();
    stage.imds.says(Says::Reply(429, vec![("retry-after", "300")], "slow down"));
    let throttled = stage.token(POD, "").await;
    statuses.push(throttled.status);
    for told in told.iter().chain([&throttled]) {
        assert!(!told.reason().is_empty() && !told.reason().contains("unreachable"), "{}", told.body);
        let again = matches!(told.status, 429 | 503);
        assert_eq!(told.retry_after().is_some(), again, "{}: {}", told.status, told.body);
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [400, 403, 404, 405, 429, 503]);
}
