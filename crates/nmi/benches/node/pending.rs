//! What does a request cost that is held, and is it given back?

use std::thread;
use std::time::Duration;

use futures::future::join_all;
use tokio::runtime::Builder;

use crate::Effort;
use crate::agent::Agent;
use crate::ask::Connection;
use crate::cluster::{PODS_OF_A_NODE, UNASSIGNED};
use crate::stage::Stage;

/// Requests that are held at the same time.
const HELD: usize = 500;

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let patience = Duration::from_secs(if effort == Effort::Quick { 2 } else { 10 });
    let place = &stage.places[0];
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    println!("### {HELD} requests pending\n");
    println!(
        "| what they wait for | before | held | for each | clients gone | {} s later |",
        patience.as_secs()
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, first, pods, delay) in [
        ("their assignment", UNASSIGNED, PODS_OF_A_NODE - UNASSIGNED, Duration::ZERO),
        ("IMDS", 0, UNASSIGNED, Duration::from_secs(15)),
    ] {
        stage.imds.behave(delay, None);
        let agent = Agent::start(stage, place, None);
        thread::sleep(Duration::from_secs(1));
        let before = agent.memory().private;
        let waiting: Vec<Connection> = clients.block_on(join_all((0..HELD).map(|number| async move {
            let mut connection = place.connect(first + number % pods).await;
            connection.send().await;
            connection
        })));
        thread::sleep(Duration::from_secs(2));
        let held = agent.memory().private;
        drop(waiting);
        thread::sleep(Duration::from_secs(1));
        let gone = agent.memory().private;
        thread::sleep(patience);
        let each = (held - before) / f64::from(u32::try_from(HELD).unwrap());
        let text = |kibibytes: f64| format!("{:.1} MiB", kibibytes / 1024.0);
        let (before, held, gone, later) =
            (text(before), text(held), text(gone), text(agent.memory().private));
        println!("| {name} | {before} | {held} | {each:.1} KiB | {gone} | {later} |");
    }
    println!("\nPrivate memory.\n");
}
