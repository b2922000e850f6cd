//! The arguments of `podid enable`: those of `az aks update --enable-pod-identity`.

use std::process::ExitCode;

use clap::ValueEnum;
use podid_addon::enable::{self, Enabled, Request};
use podid_console::{Steps, exit};
use podid_core::addon::enable::word;
use podid_core::addon::state::Mode;

use crate::cluster::{self, Cluster, Failure};

/// What `az aks update` takes, and a little more.
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "\
What it does: checks that the cluster has Linux nodes on VMs or scale sets of Azure, a network plugin that keeps pods \
apart, and an identity of its own; defines the kinds, excepts the add-ons of AKS (AzurePodIdentityException \
kube-system/aks-addon-exception), installs the agents in kube-system, and waits until they run. Run it again after an \
interruption, or with another --image: it goes on from what is there.\n\n\
Examples:\n  podid enable --resource-group myResourceGroup --name myAKSCluster --image REGISTRY/podid:TAG\n  \
podid enable --image REGISTRY/podid:TAG --mode standard --dry-run\n\n\
Exit codes: 0 it is on, 1 the cluster is not one for it, refused, or not every node has its agent in time, 2 wrong \
usage, 3 the cluster or Azure cannot be reached, or nobody is logged in.")]
pub struct Args {
    #[command(flatten)]
    cluster: Cluster,
    /// Image of podid, such as REGISTRY/podid:TAG [default: the one that is there]
    #[arg(long, value_name = "IMAGE", env = "PODID_IMAGE")]
    image: Option<String>,
    /// Managed: podid add puts identities on the nodes. Standard: MIC does, when a pod needs them
    /// [default: the mode that it is in, else managed]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// The network plugin, where the cluster's resource in Azure does not say it
    #[arg(long, value_enum)]
    network_plugin: Option<Plugin>,
    /// Agree to kubenet, on which a pod that may forge ARP can take another pod's identity
    #[arg(long)]
    enable_pod_identity_with_kubenet: bool,
    /// Taken, and of no effect: it is what this command does
    #[arg(long, hide = true)]
    enable_pod_identity: bool,
    /// Do not wait until every node has its agent
    #[arg(long)]
    no_wait: bool,
    /// Longest time to wait for that, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    timeout: u64,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeName {
    Managed,
    Standard,
}

#[derive(Clone, Copy, ValueEnum)]
enum Plugin {
    Azure,
    Kubenet,
    None,
}

/// Turns podid on.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    cluster::run(async {
        let session = args
            .cluster
            .session(Steps::new(), cluster::how(args.dry_run, !args.no_wait, args.timeout))
            .await?;
        let enabled = Box::pin(enable::enable(&session, &args.request()?)).await?;
        Ok::<_, Failure>(told(&enabled))
    })
}

fn told(enabled: &Enabled) -> u8 {
    match enabled {
        Enabled::On(mode, nodes) => {
            anstream::eprintln!(
                "podid is on, in {} mode, on {nodes} nodes. Next: podid add --help",
                word(*mode)
            );
        }
        Enabled::Written(mode) => {
            anstream::eprintln!(
                "podid is applied, in {} mode. Run the same again to wait for it.",
                word(*mode)
            );
        }
        Enabled::Left(what) => anstream::eprintln!("podid was on already ({what}), and is left as it is."),
        Enabled::Planned(steps) => cluster::print_plan(steps),
        Enabled::Stopped => return exit::NOT_FINE,
    }
    exit::FINE
}

// === impl Args ===

impl Args {
    fn request(&self) -> Result<Request, Failure> {
        let mode = self.mode.map(|mode| match mode {
            ModeName::Managed => Mode::Managed,
            ModeName::Standard => Mode::Standard,
        });
        let plugin = self.network_plugin.map(|plugin| match plugin {
            Plugin::Azure => "azure",
            Plugin::Kubenet => "kubenet",
            Plugin::None => "none",
        });
        Ok(Request {
            mode,
            kubenet: self.enable_pod_identity_with_kubenet,
            plugin: plugin.map(str::to_owned),
            image: self.image.clone().filter(|image| !image.trim().is_empty()),
            named: self.cluster.named()?,
        })
    }
}
