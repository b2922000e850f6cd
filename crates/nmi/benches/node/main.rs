//! How does the shipped agent do on a node?
//!
//! The real binary in a network namespace of its own, 110 pods beside it, the lab's Kubernetes API and a played IMDS
//! around it. Pods reach it through the redirect that it installs. What it costs is compared with a bare hyper
//! server on another such node, which sends the same bytes behind the same redirect and decides nothing.
//!
//! Standard output is the section of `docs/performance.md`; what goes on meanwhile is told on standard error.
//! Needs root or the right to make user namespaces. `PODID_BINARY` names the binary, `-- --quick` makes it short.
#![allow(clippy::unwrap_used, reason = "everything here is made up for the bench; a failure ends it")]

mod agent;
mod ask;
mod bare;
mod cluster;
mod herd;
mod hold;
mod imds;
mod load;
mod pending;
mod series;
mod size;
mod stage;
mod start;

use std::env;

use stage::Stage;

/// As in the image: the allocator is part of what is measured, so the bare server has it, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// A minute in all: to see that it works.
    Quick,
    /// Some minutes: for figures that are worth writing down.
    Full,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if has(bare::FLAG) {
        return bare::run();
    }
    if !has("--bench") {
        println!("node: nothing is measured without --bench");
        return;
    }
    let effort = if has("--quick") { Effort::Quick } else { Effort::Full };
    let stage = Stage::build();
    for (name, measure) in [
        ("start", start::measure as fn(&Stage, Effort)),
        ("size", size::measure),
        ("hold", hold::measure),
        ("pending", pending::measure),
        ("herd", herd::measure),
        ("load", load::measure),
        ("sustained", load::sustained),
    ] {
        eprintln!("node: {name}");
        measure(&stage, effort);
    }
}
