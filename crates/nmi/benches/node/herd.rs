//! What if 500 pods ask at once while IMDS answers few?

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::runtime::Builder;

use crate::Effort;
use crate::agent::Agent;
use crate::cluster::PODS_OF_A_NODE;
use crate::stage::{Place, Stage};

/// What IMDS takes for an answer, and how many it gives in a second.
const DELAY: Duration = Duration::from_millis(50);
const LIMIT: f64 = 20.0;
/// Pods that ask at once.
const PODS: usize = 500;
/// How long a pod goes on asking.
const PATIENCE: Duration = Duration::from_mins(3);

/// How it went for one pod.
struct Outcome {
    took: Option<Duration>,
    refusals: usize,
}

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let place = &stage.places[1];
    let pods = if effort == Effort::Quick { 100 } else { PODS };
    for pod in PODS_OF_A_NODE..PODS_OF_A_NODE + pods {
        stage.cluster.add_identity(place, pod);
        stage.cluster.add_pod(&place.name(), pod, place.address(pod));
        stage.cluster.assign(place, pod);
    }
    println!("### {pods} pods at once, IMDS answering 20 calls a second after 50 ms each\n");
    println!(
        "| identities | median pod | last pod | refused for now, then asked again | calls of IMDS | of them 429 |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for identities in [20, pods] {
        stage.imds.behave(DELAY, Some(LIMIT));
        let _agent = Agent::start(stage, place, None);
        let clients = Builder::new_current_thread().enable_all().build().unwrap();
        let asking = (0..pods).map(|number| ask(place, PODS_OF_A_NODE + number % identities));
        let outcomes = clients.block_on(join_all(asking));
        let mut took: Vec<Duration> = outcomes.iter().filter_map(|outcome| outcome.took).collect();
        took.sort_unstable();
        let refusals: usize = outcomes.iter().map(|outcome| outcome.refusals).sum();
        let (median, last) = (took[took.len() / 2].as_secs_f64(), took[took.len() - 1].as_secs_f64());
        let calls = stage.imds.calls();
        let all = calls.answered + calls.throttled;
        println!("| {identities} | {median:.1} s | {last:.1} s | {refusals} | {all} | {} |", calls.throttled);
        assert_eq!(took.len(), pods, "not every pod has a token in the end");
    }
    println!();
}

/// Asks as an SDK does: again when it is told to.
async fn ask(place: &Place, pod: usize) -> Outcome {
    let (begun, mut refusals) = (Instant::now(), 0);
    let mut connection = place.connect(pod).await;
    while begun.elapsed() < PATIENCE {
        let answer = connection.ask().await;
        if answer.status == 200 {
            return Outcome { took: Some(begun.elapsed()), refusals };
        }
        assert!([429, 503].contains(&answer.status), "{}", answer.status);
        refusals += 1;
        tokio::time::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1))).await;
    }
    Outcome { took: None, refusals }
}
