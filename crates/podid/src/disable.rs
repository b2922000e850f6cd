//! The arguments of `podid disable`: those of `az aks update --disable-pod-identity`.

use std::process::ExitCode;

use podid_addon::disable::{self, Disabled};
use podid_console::{Steps, exit};

use crate::cluster::{self, Cluster, Failure};

/// What `az aks update` takes, and a little more.
#[derive(clap::Args)]
#[command(after_help = "\
What it does: refuses while there are pod identities, unless --delete-identities says that they go with it; deletes \
the agents, which give the metadata service back to the pods of their nodes, then their rights, the exceptions and \
the kinds, and what podid wrote down. It says what it leaves. Run it again after an interruption: it goes on.\n\n\
Examples:\n  podid disable --resource-group myResourceGroup --name myAKSCluster\n  \
podid disable --delete-identities --dry-run\n\n\
Exit codes: 0 it is off, 1 refused, or not finished, 2 wrong usage, 3 the cluster or Azure cannot be reached, or \
nobody is logged in.")]
pub struct Args {
    #[command(flatten)]
    cluster: Cluster,
    /// Delete the pod identities that are there; their pods get no more tokens
    #[arg(long, alias = "yes")]
    delete_identities: bool,
    /// Taken, and of no effect: it is what this command does
    #[arg(long, hide = true)]
    disable_pod_identity: bool,
    /// Longest time to wait for one pod identity to go, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    timeout: u64,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Turns podid off.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        args.cluster.named()?;
        let session =
            args.cluster.session(Steps::new(), cluster::how(args.dry_run, true, args.timeout)).await?;
        let disabled = Box::pin(disable::disable(&session, args.delete_identities)).await?;
        Ok::<_, Failure>(told(&disabled))
    })
}

fn told(disabled: &Disabled) -> u8 {
    match disabled {
        Disabled::Off(left) => {
            anstream::eprintln!("podid is off.");
            for left in left {
                anstream::println!("stays: {left}");
            }
        }
        Disabled::WasOff => anstream::eprintln!("podid was not on: nothing to do."),
        Disabled::Planned(steps) => cluster::print_plan(steps),
        Disabled::Stopped => return exit::NOT_FINE,
    }
    exit::FINE
}
