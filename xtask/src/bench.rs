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

use crate::assets;
use crate::image::{self, Platform};
use crate::workspace::{Bench, Workspace};

/// The benches that run the shipped binary, and the variable by which they are told where that is.
const NEED_BINARY: [&str; 2] = ["controller", "node"];
const BINARY: &str = "PODID_BINARY";
/// The bench that runs a real API server, and the variable by which it finds that.
const NEEDS_PROGRAMS: &str = "controller";
const PROGRAMS: &str = "PODID_ASSETS";
/// Benches of other crates that belong to a part of podid.
const BELONG: [(&str, &str); 1] = [("mic", "podid-core/plan")];

/// What is wanted of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only benches whose name contains this, or all of a part of podid: "nmi" the node agent's, "mic" the controller's
    filter: Option<String>,
    /// See in a few minutes that they work: fewer turns, the profile of the tests, and nothing is written down
    #[arg(long)]
    quick: bool,
}

/// Runs the benches that `options` name, one after the other.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = choose(&workspace.benches, options.filter.as_deref())?;
    let needed =
        chosen.iter().any(|bench| NEED_BINARY.contains(&&*bench.name)) && std::env::var_os(BINARY).is_none();
    let binary = needed.then(|| binary(workspace, options.quick)).transpose()?;
    let programs = chosen.iter().any(|bench| bench.name == NEEDS_PROGRAMS);
    let programs = programs.then(|| programs_of_kubernetes(workspace)).transpose()?;
    for bench in chosen {
        let Bench { package, name } = bench;
        eprintln!("\n== bench {name} of {package}");
        let profile = if options.quick { "--profile=dev" } else { "--profile=dist" };
        let (package, only) = (format!("--package={package}"), format!("--bench={name}"));
        let mut command = workspace.cargo(["bench", "--locked", profile, &package, &only]);
        command.envs(binary.iter().map(|path| (BINARY, path)));
        command.envs(programs.iter().map(|path| (PROGRAMS, path)));
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

/// The folder with kube-apiserver and what it needs, built if need be.
fn programs_of_kubernetes(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let assets = assets::prepare(workspace, None)?;
    assets.require_all()?;
    Ok(assets.folder)
}

fn choose<'a>(benches: &'a [Bench], filter: Option<&str>) -> anyhow::Result<Vec<&'a Bench>> {
    let wanted = |bench: &&Bench| {
        filter.is_none_or(|part| {
            bench.name.contains(part)
                || bench.package.strip_prefix("podid-") == Some(part)
                || BELONG.contains(&(part, &bench.to_string()))
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
        let benches = [
            ("podid-core", "plan"),
            ("podid-mic", "controller"),
            ("podid-nmi", "node"),
            ("podid-nmi", "token_path"),
        ]
        .map(|(package, name)| Bench { package: package.into(), name: name.into() });
        assert_eq!(choose(&benches, None).unwrap().len(), 4);
        assert_eq!(choose(&benches, Some("token")).unwrap(), [&benches[3]]);
        assert_eq!(choose(&benches, Some("nmi")).unwrap(), [&benches[2], &benches[3]]);
        assert_eq!(choose(&benches, Some("mic")).unwrap(), [&benches[0], &benches[1]]);
        let error = choose(&benches, Some("nothing")).unwrap_err().to_string();
        assert_eq!(
            error,
            "no bench is called \"nothing\"; there are: podid-core/plan, podid-mic/controller, podid-nmi/node, podid-nmi/token_path"
        );
    }
}
