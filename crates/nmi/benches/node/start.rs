//! How soon after its start does the agent answer?

use std::time::Duration;

use tokio::runtime::Builder;

use crate::Effort;
use crate::agent::Agent;
use crate::series::{millis, spread};
use crate::stage::Stage;

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let runs = if effort == Effort::Quick { 3 } else { 15 };
    stage.imds.behave(Duration::ZERO, None);
    let place = &stage.places[0];
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut ready, mut token) = (Vec::new(), Vec::new());
    for _ in 0..=runs {
        let agent = Agent::exec(stage, place, None);
        ready.push(millis(agent.wait_until_ready(place)));
        let answer = clients.block_on(async { place.connect(0).await.ask().await });
        assert_eq!(answer.status, 200);
        token.push(millis(agent.began.elapsed()));
    }
    // The first one found the binary on the disk and no redirect in the kernel.
    println!("### Start\n\n| exec → ready | exec → first token, caches empty |\n| --- | --- |");
    println!("| {} ms | {} ms |\n", spread(&ready[1..], 0), spread(&token[1..], 0));
}
