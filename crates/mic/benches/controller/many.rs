//! A thousand pods are bound at once: when do they have their assignments, and what does it cost?

use std::time::{Duration, Instant};

use crate::Effort;
use crate::controller::Controller;
use crate::series::median;
use crate::stage::{IDENTITIES, NODES, SCALE_SETS, Stage};

/// What the API server has not logged yet is logged by then.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let pods = if effort == Effort::Quick { 50 } else { 1_000 };
    let Stage { cluster, cloud, runtime } = stage;
    runtime.block_on(cluster.create_pods(0..pods, NODES, IDENTITIES));
    let controller = Controller::start(stage);
    std::thread::sleep(SETTLE);
    let (skip, cpu) = (cluster.asked(), controller.cpu());
    cloud.calls();
    // Pods wait for the bindings, so all of them are entitled at once, and creating them costs nothing meanwhile.
    let (began, mut when) = runtime.block_on(async {
        let began = Instant::now();
        let ((), when) = tokio::join!(cluster.create_bindings(IDENTITIES), cluster.until_assigned(pods));
        (began, when)
    });
    when.sort_unstable();
    let waited: Vec<_> = when.iter().map(|at| (*at - began).as_secs_f64()).collect();
    std::thread::sleep(SETTLE);
    let (calls, requests) = (cloud.calls(), cluster.requests(skip));
    let cpu = controller.cpu().checked_sub(cpu).unwrap_or_default();
    assert_eq!(cloud.attached(), expected(pods), "what the records say is not what Azure has");
    println!("### {pods} pods at once ({NODES} nodes, 10 scale sets, {IDENTITIES} identities, ARM 0 s)\n");
    println!("| what | came out | budget | the original, 1,000 pods |\n| --- | --- | --- | --- |");
    println!("| all `Assigned` | {:.1} s | 5 s | 399 s |", waited.last().unwrap());
    println!("| the median pod | {:.1} s | – | 299 s |", median(&waited));
    println!(
        "| ARM calls, read and write | {} + {} | 30 in all | 41–43 + 11–13 |",
        calls.reads, calls.writes
    );
    println!("| writes of records for each pod | {:.2} | 2 | 2 |", per(requests.records, pods));
    println!("| events written for each pod | {:.2} | – | 0.5 |", per(requests.events, pods));
    println!("| other requests to the API server | {} | – | – |", requests.others);
    println!("| memory, resident at most | {:.1} MiB | 64 MiB | 115 MiB |", controller.peak());
    println!("| CPU | {:.1} s | – | 9.9 s |\n", cpu.as_secs_f64());
}

/// Few enough for a fraction to be exact.
#[allow(clippy::cast_precision_loss, reason = "thousands at most")]
fn per(count: usize, pods: usize) -> f64 {
    count as f64 / pods as f64
}

/// Identities on all scale sets: pod n is on node n and wants identity n.
fn expected(pods: usize) -> usize {
    let set = |pod: usize| pod % NODES % SCALE_SETS;
    (0..pods).map(|pod| (set(pod), pod % IDENTITIES)).collect::<std::collections::BTreeSet<_>>().len()
}
