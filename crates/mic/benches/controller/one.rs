//! How long does one pod wait for its assignment, and how long does the assignment outlive it?

use std::time::{Duration, Instant};

use crate::Effort;
use crate::controller::Controller;
use crate::series::spread;
use crate::stage::{IDENTITIES, NODES, Stage};

/// Between two pods, so that nothing of the one before is under way.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let pods = if effort == Effort::Quick { 3 } else { 15 };
    let Stage { cluster, cloud, runtime } = stage;
    runtime.block_on(cluster.create_bindings(IDENTITIES));
    let controller = Controller::start(stage);
    println!("### One pod ({pods} times)\n");
    println!(
        "| ARM's PATCH takes | created → `Assigned` | the original | deleted → record gone | the original |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for (seconds, assigned, gone) in [(0, "0.03 s", "0.044 s"), (2, "5.0 s", "5.0 s")] {
        cloud.patch_takes(Duration::from_secs(seconds));
        let (mut until_assigned, mut until_gone) = (Vec::new(), Vec::new());
        for number in 0..pods {
            runtime.block_on(async {
                tokio::time::sleep(PAUSE).await;
                let began = Instant::now();
                cluster.create_pods(number..number + 1, NODES, IDENTITIES).await;
                let when = cluster.until_assigned(1).await;
                until_assigned.push((when[0] - began).as_secs_f64());
                let began = Instant::now();
                cluster.delete_pod(number).await;
                cluster.until_no_record().await;
                until_gone.push(began.elapsed().as_secs_f64());
            });
        }
        let (ours, removal) = (spread(&until_assigned, 3), spread(&until_gone, 3));
        println!("| {seconds} s | {ours} s | {assigned} | {removal} s | {gone} |");
    }
    cloud.patch_takes(Duration::ZERO);
    println!("\nMemory, resident: {:.1} MiB now, {:.1} at most.\n", controller.resident(), controller.peak());
}
