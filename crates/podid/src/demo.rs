//! The arguments of `podid demo`.

use std::process::ExitCode;

/// Flags of the role.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    logging: crate::klog::Logging,
}

/// Runs the role until it is told to stop.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.logging.init()?;
    anyhow::bail!("this role is not part of this build yet")
}
