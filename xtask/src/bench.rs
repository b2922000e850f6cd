//! Which benches are there, how are they run, and where do their figures go?
//!
//! In the `dist` profile, which is what ships; debug figures mean nothing. What a bench prints goes to
//! `docs/performance.md` if that page has a place for it.

mod machine;
mod page;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context;

use crate::image::{self, Platform};
use crate::workspace::{Bench, Workspace};

/// The bench that runs the shipped binary, and the variable by which it is told where that is.
const NEEDS_BINARY: &str = "node";
const BINARY: &str = "PODID_BINARY";

/// What is wanted of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only benches whose name contains this, or all of a crate: "nmi" means podid-nmi
    filter: Option<String>,
    /// See in a few minutes that they work: fewer turns, the profile of the tests, and nothing is written down
    #[arg(long)]
    quick: bool,
}

/// Runs the benches that `options` name, one after the other.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = choose(&workspace.benches, options.filter.as_deref())?;
    let needed = chosen.iter().any(|bench| bench.name == NEEDS_BINARY) && std::env::var_os(BINARY).is_none();
    let binary = needed.then(|| binary(workspace, options.quick)).transpose()?;
    for bench in chosen {
        let Bench { package, name } = bench;
        eprintln!("\n== bench {name} of {package}");
        let profile = if options.quick { "--profile=dev" } else { "--profile=dist" };
        let (package, only) = (format!("--package={package}"), format!("--bench={name}"));
        let mut command = workspace.cargo(["bench", "--locked", profile, &package, &only]);
        command.envs(binary.iter().map(|path| (BINARY, path)));
        if options.quick {
            command.args(["--", "--quick"]);
        }
        let mut run = command.stdout(Stdio::piped()).spawn().context("cannot run cargo bench")?;
        let mut told = String::new();
        for line in run.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let line = line.context("cannot read what the bench prints")?;
            println!("{line}");
            told.extend([&line, "\n"]);
        }
        if !run.wait().context("cannot wait for cargo bench")?.success() {
            return Ok(ExitCode::FAILURE);
        }
        if !options.quick && page::write(workspace, &bench.to_string(), &told)? {
            page::write(workspace, "machine", &machine::describe(workspace)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The binary of the image, or for a quick look the one that the tests use.
fn binary(workspace: &Workspace, quick: bool) -> anyhow::Result<PathBuf> {
    if !quick {
        let platform = Platform::of_this_machine().context("there is no image for this machine")?;
        return image::binary(workspace, platform, 0);
    }
    let status = workspace.cargo(["build", "--locked", "--package=podid"]).status();
    anyhow::ensure!(
        status.context("cannot run cargo build")?.success(),
        "podid could not be built; see above"
    );
    Ok(workspace.target.join("debug/podid"))
}

fn choose<'a>(benches: &'a [Bench], filter: Option<&str>) -> anyhow::Result<Vec<&'a Bench>> {
    let wanted = |bench: &&Bench| {
        filter.is_none_or(|part| {
            bench.name.contains(part) || bench.package.strip_prefix("podid-") == Some(part)
        })
    };
    let chosen: Vec<_> = benches.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let known = benches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        anyhow::bail!("no bench is called {:?}; there are: {known}", filter.unwrap_or_default());
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_by_name_or_crate_and_a_wrong_one_is_told_what_there_is() {
        let benches = [("podid-core", "plan"), ("podid-nmi", "node"), ("podid-nmi", "token_path")]
            .map(|(package, name)| Bench { package: package.into(), name: name.into() });
        assert_eq!(choose(&benches, None).unwrap().len(), 3);
        assert_eq!(choose(&benches, Some("token")).unwrap(), [&benches[2]]);
        assert_eq!(choose(&benches, Some("nmi")).unwrap(), [&benches[1], &benches[2]]);
        let error = choose(&benches, Some("nothing")).unwrap_err().to_string();
        assert_eq!(
            error,
            "no bench is called \"nothing\"; there are: podid-core/plan, podid-nmi/node, podid-nmi/token_path"
        );
    }
}
