//! Does `podid why` name the cause of every broken set-up, and does what it prints mend it?
//!
//! On a real API server with real controllers and the real MIC, which meets the lab's Azure; kubelets are played, so
//! what NMI's pods say of themselves is played, too. Every case breaks one thing, is asked about, runs the printed
//! commands in a shell as a person would paste them, and asks again.
#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod azure;
mod case;
mod cluster;
mod controller;
mod mic;
mod narrow;
mod nmi;
mod pods;
mod story;
mod whole;

use std::sync::{Mutex, PoisonError};

use case::Case;
use cluster::Cluster;
use podid_testbed::Programs;

/// One at a time: two cores are few.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_pod_that_nmi_refuses_is_told_the_same_code_and_served_when_that_is_mended() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let test = "a_pod_that_nmi_refuses_is_told_the_same_code_and_served_when_that_is_mended";
    if let Some(programs) = Programs::find_or_skip(test) {
        story::tell(&programs);
    }
}

/// Tests share one cluster, and one case after the other breaks it.
#[test]
fn every_broken_set_up_has_its_code_and_the_printed_commands_mend_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(cluster) = Cluster::start("every_broken_set_up_has_its_code_and_the_printed_commands_mend_it")
    else {
        return;
    };
    let wanted = std::env::var("PODID_WHY_CASE").ok();
    let all = pods::CASES.iter().chain(controller::CASES).chain(nmi::CASES);
    let chosen: Vec<&Case> =
        all.filter(|case| wanted.as_deref().is_none_or(|word| case.code == word)).collect();
    let mut failed = Vec::new();
    for (number, case) in chosen.iter().enumerate() {
        let begun = std::time::Instant::now();
        if let Err(problem) = case.run(&cluster, number) {
            failed.push(format!("== {}: {}\n{problem}", case.code, case.about));
        }
        eprintln!("{:>6.1} s  {:<20} {}", begun.elapsed().as_secs_f32(), case.code, case.about);
    }
    if wanted.as_deref() == Some("narrow") {
        narrow::check(&cluster);
    }
    if wanted.is_none() {
        whole::check(&cluster);
        narrow::check(&cluster);
        let codes: std::collections::BTreeSet<_> = chosen.iter().map(|case| case.code).collect();
        assert!(codes.len() >= 25, "only {} codes: {codes:?}", codes.len());
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), chosen.len(), failed.join("\n\n"));
}
