//! How much memory does the agent need, and does the cluster's size matter?

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use tokio::runtime::Builder;

use crate::Effort;
use crate::agent::{Agent, Memory};
use crate::cluster::UNASSIGNED;
use crate::stage::Stage;

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let pods = if effort == Effort::Quick { 1_000 } else { 9_890 };
    stage.imds.behave(Duration::ZERO, None);
    println!("### Memory, 110 pods on the node\n");
    println!(
        "| pods elsewhere | after the start, resident / private | after a token for {UNASSIGNED} pods |"
    );
    println!("| --- | --- | --- |");
    row(stage, 0);
    for pod in 0..pods {
        // On nodes that nobody plays.
        let address =
            Ipv4Addr::from_bits(Ipv4Addr::new(10, 150, 0, 0).to_bits() + u32::try_from(pod).unwrap());
        stage.cluster.add_pod(&format!("elsewhere-{}", pod / 100), pod, address);
    }
    row(stage, pods);
    println!();
}

fn row(stage: &Stage, elsewhere: usize) {
    let place = &stage.places[0];
    let agent = Agent::start(stage, place, None);
    thread::sleep(Duration::from_secs(1));
    let idle = agent.memory();
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    clients.block_on(join_all((0..UNASSIGNED).map(|pod| async move {
        assert_eq!(place.connect(pod).await.ask().await.status, 200);
    })));
    println!("| {elsewhere} | {} | {} |", text(idle), text(agent.memory()));
}

fn text(memory: Memory) -> String {
    format!("{:.1} / {:.1} MiB", memory.resident / 1024.0, memory.private / 1024.0)
}
