//! Which command stands for each piece of work on this repository?
//!
//! The only door for people and CI: what CI runs is `cargo xtask test`, and nothing else.

mod area;
mod assets;
mod bench;
mod cluster;
mod command;
mod deny;
mod fuzz;
mod generate;
mod image;
mod leak;
mod picture;
mod report;
mod stage;
mod tally;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::area::Area;
use crate::assets::Kubernetes;
use crate::stage::Stage;
use crate::workspace::Workspace;

/// Tests, checks and generates podid.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check and every test, then say in one line how many passed
    ///
    /// All stages run, also after a failure; the exit code is 0 only if nothing failed. What cannot run on
    /// this machine is skipped loudly, or fails when CI=true. With an area, only its tests are run.
    Test {
        /// Run only the tests that concern this part of podid
        #[arg(value_name = "AREA", value_enum)]
        area: Option<Area>,
        /// Run only these stages, separated by commas
        #[arg(long, value_name = "STAGE", value_enum, value_delimiter = ',')]
        only: Vec<Stage>,
        #[command(flatten)]
        choice: Choice,
    },
    /// Run what needs no test to run: format, clippy, generated files, docs, dependencies
    Lint,
    /// Write the files under deploy/ that are generated from Rust
    Gen {
        /// Write nothing; fail if a file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Build etcd, kube-apiserver, kube-controller-manager, kubectl and helm for the tests (needs Go)
    ///
    /// They go to target/testassets; the folder with all of them is printed at the end. A program that the folder
    /// KUBEBUILDER_ASSETS holds is taken from there instead.
    Assets(Choice),
    /// Run a real API server with played nodes, to try podid on, until Ctrl-C
    ///
    /// etcd, kube-apiserver and kube-controller-manager run on this machine, with RBAC on. No container runs: pods
    /// are only said to be ready. Nothing is left behind, however it ends.
    Cluster {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        options: cluster::Options,
    },
    /// Build the static binary and pack it as an OCI image (see docs/reference/image.md)
    Image(image::Options),
    /// Send a part of podid inputs that nobody would write; see fuzz/README.md
    Fuzz(fuzz::Options),
    /// Draw the dashboard with the figures of a Prometheus, for docs/how-to/watch.md
    Picture(picture::Options),
    /// Measure; see docs/performance.md for what the figures mean
    ///
    /// A whole run of the node agent's builds the image's binary, takes half an hour and writes its figures into that
    /// page.
    Bench(bench::Options),
}

#[derive(clap::Args)]
struct Choice {
    /// Build the programs of this Kubernetes, even if KUBEBUILDER_ASSETS has some [default: 1.34]
    #[arg(long, value_name = "VERSION", value_enum, hide_default_value = true)]
    kubernetes: Option<Kubernetes>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match command {
        Command::Test { area, only, choice } => {
            let stages = stages(area, &only)?;
            Ok(report::run(&workspace, stages, area, choice.kubernetes))
        }
        Command::Lint => Ok(report::run(&workspace, Stage::LINT, None, None)),
        Command::Gen { check: true } => {
            generate::check(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Gen { check: false } => {
            generate::write(&workspace)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Assets(choice) => {
            let assets = assets::prepare(&workspace, choice.kubernetes)?;
            assets.require_all()?;
            println!("{}", assets.folder.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Cluster { choice, options } => cluster::run(&workspace, &options, choice.kubernetes),
        Command::Image(options) => {
            image::run(&workspace, &options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Fuzz(options) => fuzz::run(&workspace, &options),
        Command::Picture(options) => {
            picture::run(&workspace, &options)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(options) => bench::run(&workspace, &options),
    }
}

/// What runs: all, what was asked for, or for an area its tests and the programs that they need.
fn stages(area: Option<Area>, only: &[Stage]) -> anyhow::Result<&[Stage]> {
    match (area, only) {
        (None, []) => Ok(Stage::ALL),
        (Some(_), []) => Ok(Stage::TESTS),
        (Some(_), only) if !only.contains(&Stage::Tests) => {
            anyhow::bail!("an area narrows down the stage tests only: leave it out, or name tests in --only")
        }
        (_, only) => Ok(only),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_can_be_asked_for() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_area_runs_tests_and_what_they_need_and_cannot_narrow_down_anything_else() {
        assert_eq!(stages(None, &[]).unwrap(), Stage::ALL);
        assert_eq!(stages(Some(Area::Nmi), &[]).unwrap(), [Stage::Assets, Stage::Tests]);
        assert_eq!(stages(Some(Area::Nmi), &[Stage::Tests]).unwrap(), [Stage::Tests]);
        assert!(
            stages(Some(Area::Mic), &[Stage::Docs]).unwrap_err().to_string().contains("name tests in --only")
        );
        assert_eq!(stages(None, &[Stage::Docs]).unwrap(), [Stage::Docs]);
    }
}
