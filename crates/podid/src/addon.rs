//! The arguments of `podid add`, `delete`, `list` and `exception`: those of `az aks pod-identity`.

mod add;
mod cluster;
mod delete;
mod exception;
mod list;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use podid_addon::Done;
use podid_console::exit;

/// The commands of `az aks pod-identity`.
#[derive(Subcommand)]
pub enum Command {
    /// Give the pods of a namespace an identity: a pod identity
    #[command(after_help = add::HELP)]
    Add(add::Args),
    /// Take a pod identity away
    #[command(after_help = delete::HELP)]
    Delete(delete::Args),
    /// List the pod identities, with the state that is true now
    #[command(after_help = list::HELP)]
    List(list::Args),
    /// Let pods with certain labels talk to the metadata service themselves
    Exception {
        #[command(subcommand)]
        command: exception::Command,
    },
}

/// How a command ended that did not do what it should.
enum Failure {
    /// The arguments cannot be meant.
    Usage(String),
    /// The cluster or Azure, as things are.
    Failed(podid_addon::Error),
    /// There is no way to the cluster.
    NoCluster(String),
    /// Something of our own.
    Other(anyhow::Error),
}

/// Runs one of the commands.
pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        match command {
            Command::Add(args) => args.run().await,
            Command::Delete(args) => args.run().await,
            Command::List(args) => args.run().await,
            Command::Exception { command } => exception::run(command).await,
        }
    });
    match result {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(Failure::Other(error)) => Err(error),
        Err(Failure::Usage(message)) => {
            anstream::eprintln!("podid: {message}");
            Ok(ExitCode::from(exit::USAGE))
        }
        Err(Failure::NoCluster(message)) => {
            anstream::eprintln!("podid: {message}");
            Ok(ExitCode::from(exit::NOT_LOOKED_AT))
        }
        Err(Failure::Failed(error)) => {
            anstream::eprintln!("podid: {error}");
            Ok(ExitCode::from(error.exit_code()))
        }
    }
}

/// Prints what would be done; whether that is all there is to print.
fn print_plan(done: &Done) -> bool {
    let Done::Planned(steps) = done else { return false };
    if steps.is_empty() {
        anstream::println!("nothing to do: everything is as it should be");
    }
    for step in steps {
        anstream::println!("would {step}");
    }
    true
}

// === impl Failure ===

impl<E: Into<podid_addon::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Wrong usage, in the words of the error.
fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}

/// Something of our own.
fn other(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Other(error.into())
}
