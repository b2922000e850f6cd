//! How does a run of several stages look, and how does it end?

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::area::Area;
use crate::assets::Kubernetes;
use crate::stage::Stage;
use crate::tally::{Findings, Tally};
use crate::workspace::Workspace;

struct Outcome {
    stage: Stage,
    findings: Findings,
    took: Duration,
}

/// Runs all `stages`, also after a failure, and closes with one line over everything.
pub(crate) fn run(
    workspace: &Workspace,
    stages: &[Stage],
    area: Option<Area>,
    kubernetes: Option<Kubernetes>,
) -> ExitCode {
    let outcomes: Vec<_> = stages.iter().map(|&stage| run_one(workspace, stage, area, kubernetes)).collect();
    println!("\n== summary");
    let mut total = Tally::default();
    for outcome in &outcomes {
        println!("{}", line(outcome));
        total += outcome.findings.tally;
    }
    let skips: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.findings.skips).collect();
    if !skips.is_empty() {
        println!("\n== not everything was run");
        for skip in skips {
            println!("{skip}");
        }
    }
    println!("\n{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_one(
    workspace: &Workspace,
    stage: Stage,
    area: Option<Area>,
    kubernetes: Option<Kubernetes>,
) -> Outcome {
    println!("\n== {stage}: {}", stage.about());
    let start = Instant::now();
    let findings = stage.run(workspace, area, kubernetes).unwrap_or_else(|error| {
        eprintln!("{stage}: {error:#}");
        Tally::FAILED.into()
    });
    let took = start.elapsed();
    println!(
        "== {stage}: {} after {}",
        if findings.tally.failed == 0 { "done" } else { "FAILED" },
        seconds(took)
    );
    Outcome { stage, findings, took }
}

fn line(Outcome { stage, findings, took }: &Outcome) -> String {
    let tally = &findings.tally;
    let mark = match tally {
        Tally { failed: 1.., .. } => "FAILED",
        Tally { skipped: 1.., .. } => "skips",
        _ => "ok",
    };
    format!("{:<10} {mark:<7} {:>8}   {tally}", stage.to_string(), seconds(*took))
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(tally: Tally) -> String {
        line(&Outcome { stage: Stage::Docs, findings: tally.into(), took: Duration::from_millis(1250) })
    }

    #[test]
    fn a_failure_or_a_skip_can_be_seen_at_a_glance() {
        assert_eq!(line_of(Tally::PASSED), "docs       ok         1.2 s   1 passed, 0 failed, 0 skipped");
        assert!(line_of(Tally::SKIPPED).contains(" skips "));
        assert!(line_of(Tally { passed: 9, failed: 1, skipped: 1 }).contains(" FAILED "));
    }
}
