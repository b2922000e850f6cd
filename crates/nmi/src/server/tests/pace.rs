//! Who is served when more is asked for than IMDS gives a machine.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::stage::{Says, Stage, TOKEN, Told};

const SECOND: Duration = Duration::from_secs(1);

/// Whether IMDS, which answers `limit` requests a second, would have thrown out none of what it saw.
fn within(stage: &Stage, limit: usize) -> bool {
    let at: Vec<Instant> = stage.imds.seen().iter().map(|seen| seen.at).collect();
    at.windows(limit + 1).all(|window| window[limit] - window[0] >= SECOND)
}

/// Keeps `connections` of one pod busy with what no cache has.
fn be_noisy(stage: &Stage, address: &'static str, connections: usize) {
    for connection in 0..connections {
        let server = stage.server.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let target = format!("{TOKEN}?resource=https%3A%2F%2F{connection}-{number}");
                Stage::send_to(&server, address, "GET", &target, &[super::stage::METADATA]).await;
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_pods_that_ask_at_once_all_get_a_token_and_imds_is_not_overrun() {
    let stage = Stage::standard().await;
    for pod in 0..500 {
        stage.ready_pod(&format!("pod-{pod}"), &format!("10.0.{}.{}", pod / 250, pod % 250 + 1)).await;
    }
    stage.imds.says(Says::Late(Duration::from_millis(50)));
    let addresses: Vec<String> =
        (0..500).map(|pod| format!("10.0.{}.{}", pod / 250, pod % 250 + 1)).collect();
    let told = join_all(addresses.iter().map(|address| stage.token(address, ""))).await;
    assert!(told.iter().all(|told| told.status == 200), "{:?}", told.iter().find(|told| told.status != 200));
    assert!(told.iter().all(|told| told.after < Duration::from_secs(50)));
    assert!(within(&stage, 20));
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_250_connections_full_of_uncached_requests_does_not_starve_another() {
    let stage = Stage::standard().await;
    stage.ready_pod("noisy", "10.0.0.1").await;
    stage.ready_pod("web", "10.0.0.2").await;
    stage.imds.says(Says::Late(Duration::from_millis(50)));
    be_noisy(&stage, "10.0.0.1", 250);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let told = stage.token("10.0.0.2", "").await;
    assert_eq!((told.status, told.after < SECOND), (200, true), "{:?}", told.after);
    assert!(within(&stage, 20));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_wants_many_tokens_at_its_start_gets_them_all() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(Says::Late(Duration::from_millis(50)));
    let targets: Vec<String> =
        (0..40).map(|number| format!("{TOKEN}?resource=https%3A%2F%2F{number}")).collect();
    let told = join_all(targets.iter().map(|target| stage.get("10.0.0.1", target))).await;
    assert!(told.iter().all(|told| told.status == 200), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn instance_metadata_is_asked_for_at_the_pace_of_imds_and_no_pod_takes_it_all() {
    let stage = Stage::standard().await;
    let instance = "/metadata/instance?api-version=2021-02-01";
    let noisy: Vec<_> = (0..200).map(|_| stage.get("10.0.0.1", instance)).collect();
    let (noisy, other) = tokio::join!(join_all(noisy), stage.get("10.0.0.2", instance));
    assert_eq!((other.status, other.after < 2 * SECOND), (200, true), "{:?}", other.after);
    let (served, told_later): (Vec<Told>, Vec<Told>) = noisy.into_iter().partition(|told| told.status == 200);
    assert!(served.len() >= 20, "{}", served.len());
    assert!(told_later.iter().all(|told| told.status == 429 && told.retry_after().is_some()));
    assert!(told_later.iter().all(|told| told.after <= 20 * SECOND));
    assert!(within(&stage, 5));
    // It is no burden for tokens.
    stage.ready_pod("web", "10.0.0.3").await;
    let token = stage.token("10.0.0.3", "").await;
    assert_eq!((token.status, token.after.as_millis()), (200, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_imds_asks_for_is_kept_for_all_pods() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.ready_pod("other", "10.0.0.2").await;
    stage.imds.says(Says::Reply(429, vec![("retry-after", "20")], ""));
    let held = stage.start_token("10.0.0.1", "");
    stage.settle().await;
    stage.imds.says(Says::Truth);
    let told = stage.token("10.0.0.2", "").await;
    assert_eq!((told.status, told.after.as_secs()), (200, 20));
    assert_eq!(held.await.unwrap(), 200);

    stage.imds.says(Says::Reply(429, vec![("retry-after", "90")], ""));
    assert_eq!(stage.get("10.0.0.1", &format!("{TOKEN}?resource=b")).await.status, 429);
    let questions = stage.imds.seen().len();
    let told = stage.get("10.0.0.2", &format!("{TOKEN}?resource=b")).await;
    assert_eq!((told.status, told.after.as_secs()), (503, 0), "nobody waits in vain");
    assert!(told.retry_after().unwrap().parse::<u32>().unwrap() >= 40);
    assert_eq!(stage.imds.seen().len(), questions);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_lives_is_served_though_its_refresh_has_to_wait_for_its_turn() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.tokens_live(3600);
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    stage.imds.says(Says::Reply(429, vec![("retry-after", "300")], ""));
    stage.get("10.0.0.1", &format!("{TOKEN}?resource=b")).await;
    // Under the floor, and nobody may ask for another one.
    tokio::time::advance(Duration::from_secs(3350)).await;
    stage.imds.says(Says::Reply(429, vec![("retry-after", "300")], ""));
    stage.get("10.0.0.1", &format!("{TOKEN}?resource=c")).await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_secs()), (200, 0), "{}", told.body);
}
