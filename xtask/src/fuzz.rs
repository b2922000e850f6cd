//! How is the fuzzer run?

use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;

use crate::workspace::Workspace;

/// What can be fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The token server of NMI, with raw bytes on connections of its own
    Request,
}

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What is fuzzed
    #[arg(value_name = "TARGET", value_enum)]
    target: Target,
    /// How long inputs are made by chance
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Repeat the run that printed this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Builds the fuzzer and runs it. What it finds is kept under fuzz/crashes, where the tests find it, too.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let target = match options.target {
        Target::Request => "request",
    };
    let mut fuzz = workspace.cargo(["run", "--quiet", "--locked", "--package=podid-fuzz", "--", target]);
    fuzz.arg(format!("--seconds={}", options.seconds));
    fuzz.args(options.seed.map(|seed| format!("--seed={seed}")));
    let status = fuzz.status().context("cannot run cargo run")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
