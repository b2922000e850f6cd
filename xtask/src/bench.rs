//! Which benches are there, and how are they run?
//!
//! In the `dist` profile, which is what ships; debug figures mean nothing.

use std::process::ExitCode;

use anyhow::Context;

use crate::workspace::Workspace;

/// Every bench: its package and its name.
const BENCHES: [(&str, &str); 2] = [("podid-core", "plan"), ("podid-nmi", "token_path")];

/// Runs the benches whose name contains `filter`, one after the other.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> anyhow::Result<ExitCode> {
    let chosen: Vec<_> =
        BENCHES.iter().filter(|(_, name)| filter.is_none_or(|filter| name.contains(filter))).collect();
    let known = BENCHES.map(|(_, name)| name).join(", ");
    anyhow::ensure!(!chosen.is_empty(), "no bench has that in its name; there are: {known}");
    for (package, name) in chosen {
        println!("\n== bench {name}");
        let (package, bench) = (format!("--package={package}"), format!("--bench={name}"));
        let status = workspace
            .cargo(["bench", "--locked", "--profile=dist", &package, &bench])
            .status()
            .context("cannot run cargo bench")?;
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
