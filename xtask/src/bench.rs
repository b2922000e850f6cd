//! Which benches are there, and how are they run?
//!
//! In the `dist` profile, which is what ships; debug figures mean nothing.

use std::process::ExitCode;

use anyhow::Context;

use crate::workspace::{Bench, Workspace};

/// Runs the benches whose name contains `filter`, one after the other.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> anyhow::Result<ExitCode> {
    for Bench { package, name } in choose(&workspace.benches, filter)? {
        println!("\n== bench {name} of {package}");
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

fn choose<'a>(benches: &'a [Bench], filter: Option<&str>) -> anyhow::Result<Vec<&'a Bench>> {
    let chosen: Vec<_> =
        benches.iter().filter(|bench| filter.is_none_or(|part| bench.name.contains(part))).collect();
    if chosen.is_empty() {
        let known = benches.iter().map(|bench| bench.name.as_str()).collect::<Vec<_>>().join(", ");
        anyhow::bail!("no bench has {:?} in its name; there are: {known}", filter.unwrap_or_default());
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_by_name_and_a_wrong_one_is_told_what_there_is() {
        let benches = ["plan", "token_path"].map(|name| Bench { package: "p".into(), name: name.into() });
        assert_eq!(choose(&benches, None).unwrap().len(), 2);
        assert_eq!(choose(&benches, Some("token")).unwrap(), [&benches[1]]);
        let error = choose(&benches, Some("nothing")).unwrap_err().to_string();
        assert_eq!(error, "no bench has \"nothing\" in its name; there are: plan, token_path");
    }
}
