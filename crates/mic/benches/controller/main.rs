//! How does the shipped controller do in a cluster?
//!
//! The real binary against a real kube-apiserver (100 nodes of 10 scale sets) and the lab's ARM. What it did is counted
//! where it arrived: ARM calls by the simulated Azure, API calls by the API server's audit log.
//!
//! Standard output is the section of `docs/performance.md`; what goes on meanwhile is told on standard error.
//! `PODID_BINARY` names the binary, `-- --quick` makes it short. The programs of Kubernetes are found as in tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "everything here is made up for the bench; a failure ends it"
)]

mod azure;
mod cluster;
mod controller;
mod many;
mod one;
mod series;
mod stage;
mod steady;

use std::env;

use podid_testbed::Programs;
use stage::Stage;

/// How long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// A minute in all: to see that it works.
    Quick,
    /// A quarter of an hour: for figures that are worth writing down.
    Full,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if !has("--bench") {
        println!("controller: nothing is measured without --bench");
        return;
    }
    let effort = if has("--quick") { Effort::Quick } else { Effort::Full };
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(missing) => {
            eprintln!("controller: {missing}");
            std::process::exit(1);
        }
    };
    for (name, measure) in
        [("one", one::measure as fn(&Stage, Effort)), ("many", many::measure), ("steady", steady::measure)]
    {
        eprintln!("controller: {name}");
        measure(&Stage::build(&programs), effort);
    }
}
