//! What does the controller ask when nothing changes?

use std::time::Duration;

use crate::Effort;
use crate::controller::Controller;
use crate::stage::{IDENTITIES, NODES, Stage};

/// Pods that have what they need.
const PODS: usize = 200;
/// After the last assignment, until nothing is under way.
const SETTLE: Duration = Duration::from_secs(10);

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let time = if effort == Effort::Quick { Duration::from_secs(10) } else { Duration::from_mins(10) };
    let Stage { cluster, cloud, runtime } = stage;
    let controller = Controller::start(stage);
    runtime.block_on(async {
        cluster.create_pods(0..PODS, NODES, IDENTITIES).await;
        cluster.create_bindings(IDENTITIES).await;
        cluster.until_assigned(PODS).await;
    });
    std::thread::sleep(SETTLE);
    let (skip, cpu) = (cluster.asked(), controller.cpu());
    cloud.calls();
    std::thread::sleep(time);
    let (calls, requests) = (cloud.calls(), cluster.requests(skip));
    let cpu = controller.cpu().checked_sub(cpu).unwrap_or_default();
    let seconds = time.as_secs();
    println!("### Nothing changes, {PODS} pods, {seconds} s\n");
    println!("| what | came out | the original |\n| --- | --- | --- |");
    println!("| ARM calls, read and write | {} + {} | – |", calls.reads, calls.writes);
    println!("| requests for the lock | {} | {} |", requests.election, seconds * 2 * 100 / 375);
    println!(
        "| all other requests to the API server | {} | – |",
        requests.records + requests.events + requests.others
    );
    println!("| CPU | {:.2} s | – |", cpu.as_secs_f64());
    println!("\nThe reads of ARM are the check for drift: each scale set once in 3 minutes.\n");
}
