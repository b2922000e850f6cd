//! Which command was called, under which name, and with what exit code does it end?

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(feature = "lab")]
use crate::{addon, audit, diagnose, disable, enable, explain, lab};
use crate::{adopt, crds, demo, goflags, manifests, mic, nmi, policy, shell};

/// The name under which kubectl finds a plug-in for `kubectl podid`.
const KUBECTL_PLUGIN: &str = "kubectl-podid";

/// Pod-managed identity for Kubernetes on Azure.
///
/// A pod asks 169.254.169.254 for a token as a VM would, and gets one for the managed identity
/// bound to it, and for no other.
#[derive(Parser)]
#[command(name = "podid", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "See it work on this machine, without Azure:\n  podid lab demo\n\n\
As a plug-in of kubectl: a link to podid in the PATH, called kubectl-podid, is kubectl podid.\n\n\
Exit codes: 0 success, 1 the command failed or found something wrong, 2 wrong usage, 3 something could not be looked at, 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controller: assigns identities to VMs and scale sets
    Mic(mic::Args),
    /// Run the node agent: intercepts token requests of this node's pods and answers them
    Nmi(nmi::Args),
    /// Run the demo application: asks for tokens the way a workload does
    Demo(demo::Args),
    /// Print what has to be applied to a cluster, for people without Helm
    Manifests(manifests::Args),
    /// Bring the definitions of the custom resources in a cluster up to date, which Helm does not
    Crds(crds::Args),
    /// Print policies that close what podid alone cannot close
    Policy(policy::Args),
    /// Prepare a cluster that has aad-pod-identity for podid
    Adopt(adopt::Args),
    #[cfg(feature = "lab")]
    #[command(flatten)]
    Addon(addon::Command),
    /// The commands of `az aks pod-identity`, for those who are used to the word
    #[cfg(feature = "lab")]
    #[command(hide = true)]
    PodIdentity {
        #[command(subcommand)]
        command: addon::Command,
    },
    /// Turn podid on in a cluster, as az aks update --enable-pod-identity does
    #[cfg(feature = "lab")]
    Enable(enable::Args),
    /// Turn podid off in a cluster, as az aks update --disable-pod-identity does
    #[cfg(feature = "lab")]
    Disable(disable::Args),
    /// Check that clusters, and what they are made from, are set up right
    #[cfg(feature = "lab")]
    Audit(audit::Args),
    /// Say what a code in a message means and how to mend it
    #[cfg(feature = "lab")]
    Explain(explain::Args),
    /// Say why a pod gets no token, and what mends it
    #[cfg(feature = "lab")]
    Why(diagnose::Why),
    /// Look for whatever keeps pods from their tokens, in the whole cluster
    #[cfg(feature = "lab")]
    Doctor(diagnose::Doctor),
    /// See podid work on this machine: a simulated Azure and a small cluster
    #[cfg(feature = "lab")]
    Lab(lab::Args),
    /// Print the completion script for a shell
    Completion(shell::Completion),
    /// Print the manual as pages for man
    Man(shell::Man),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if called(&arguments) == shell::KUBECTL_COMPLETE {
        let offered = shell::candidates(commands(), &arguments[1..]);
        return end(podid_console::print(&offered).map(|()| ExitCode::SUCCESS).map_err(Into::into));
    }
    let as_plugin = called(&arguments) == KUBECTL_PLUGIN;
    let command = match parse(called_by_name(arguments), as_plugin) {
        Ok(cli) => cli.command,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    // A dependency that enables another provider would otherwise make the first handshake panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match command {
        Command::Mic(args) => mic::run(&args),
        Command::Nmi(args) => nmi::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Manifests(args) => manifests::run(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Adopt(args) => adopt::run(&args),
        Command::Crds(args) => crds::run(&args),
        #[cfg(feature = "lab")]
        Command::Enable(args) => enable::run(&args),
        #[cfg(feature = "lab")]
        Command::Disable(args) => disable::run(&args),
        #[cfg(feature = "lab")]
        Command::Addon(command) | Command::PodIdentity { command } => addon::run(&command),
        #[cfg(feature = "lab")]
        Command::Audit(args) => audit::run(&args),
        #[cfg(feature = "lab")]
        Command::Explain(args) => explain::run(&args),
        #[cfg(feature = "lab")]
        Command::Why(args) => diagnose::why(&args),
        #[cfg(feature = "lab")]
        Command::Doctor(args) => diagnose::doctor(&args),
        #[cfg(feature = "lab")]
        Command::Lab(args) => lab::run(&args),
        Command::Completion(args) => args.run(commands()),
        Command::Man(args) => args.run(commands()),
    };
    end(result)
}

fn end(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        anstream::eprintln!("podid: {}", in_one_line(&error));
        ExitCode::FAILURE
    })
}

/// An error and its causes, each said once: many messages already quote their cause.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

/// All commands with all their arguments.
pub(crate) fn commands() -> clap::Command {
    Cli::command()
}

/// `as_plugin`: kubectl was called, so usage and examples of errors begin with it.
fn parse(arguments: Vec<OsString>, as_plugin: bool) -> Result<Cli, clap::Error> {
    let commands = if as_plugin { commands().bin_name("kubectl podid") } else { commands() };
    let matches = commands.try_get_matches_from(goflags::normalise(arguments))?;
    Cli::from_arg_matches(&matches)
}

/// The name by which the program was called.
fn called(arguments: &[OsString]) -> String {
    let program = arguments.first().map(Path::new);
    program.and_then(|program| program.file_name()?.to_str().map(str::to_owned)).unwrap_or_default()
}

/// A link called `nmi`, `mic` or `demo` means that subcommand.
fn called_by_name(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = called(&arguments);
    if matches!(name.as_str(), "mic" | "nmi" | "demo") {
        arguments.splice(0..1, ["podid".into(), name.into()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        commands().debug_assert();
    }

    #[test]
    fn a_link_called_nmi_is_the_node_agent() {
        let arguments = called_by_name(vec!["/usr/bin/nmi".into(), "--node=a".into()]);
        assert_eq!(arguments, ["podid", "nmi", "--node=a"]);
    }

    #[test]
    fn the_binary_s_own_name_is_left_alone() {
        let arguments = called_by_name(vec!["target/debug/podid".into(), "lab".into()]);
        assert_eq!(arguments, ["target/debug/podid", "lab"]);
    }
}
