//! How soon after its assignment appears does a pod that waits have its token?

use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::Effort;
use crate::agent::Agent;
use crate::cluster::{PODS_OF_A_NODE, UNASSIGNED};
use crate::series::{millis, spread};
use crate::stage::Stage;

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let pods = if effort == Effort::Quick { 3 } else { 20 };
    stage.imds.behave(Duration::ZERO, None);
    // The third node's agent: what is assigned here is held by nobody later on.
    let place = &stage.places[2];
    let _agent = Agent::start(stage, place, None);
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let mut took = Vec::new();
    for pod in UNASSIGNED..(UNASSIGNED + pods).min(PODS_OF_A_NODE) {
        let answered = clients.block_on(async {
            let mut connection = place.connect(pod).await;
            connection.send().await;
            // It is held by then.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let begun = Instant::now();
            stage.cluster.assign(place, pod);
            assert_eq!(connection.receive().await.status, 200);
            begun.elapsed()
        });
        took.push(millis(answered));
    }
    println!("### A request that waits for its assignment\n\n| assignment written → token | \n| --- |");
    println!("| {} ms |\n", spread(&took, 1));
}
