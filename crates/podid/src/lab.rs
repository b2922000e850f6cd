//! The arguments of `podid lab`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use podid_lab::{Exec, Mode, Settings};

/// Flags of the lab.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the tutorial happening: a pod gets a token, another is refused, all is cleaned up
    #[command(after_help = "Examples:\n  podid lab demo\n  podid lab demo --mode managed --keep\n\n\
Exit codes: 0 every step did what it should, 1 a step failed or this machine \
does not allow the lab, 2 wrong usage, 130 interrupted.")]
    Demo {
        #[command(flatten)]
        cluster: Cluster,
        /// Leave the lab running afterwards, until Ctrl-C
        #[arg(long)]
        keep: bool,
    },
    /// Start a cluster with a simulated Azure and leave it running until Ctrl-C
    #[command(
        after_help = "Example:\n  podid lab up        # in another terminal: eval \"$(podid lab env)\"\n\n\
Exit codes: 0 ended by Ctrl-C, 1 this machine does not allow the lab, or it failed, 2 wrong usage."
    )]
    Up {
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Run a command in a pod's network, in the lab that runs
    #[command(after_help = "Examples:\n  podid lab exec -n my-app demo -- curl -s -H Metadata:true \\\n    \
'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'\n  \
podid lab exec demo -- python3 app.py\n\nExit code: that of the command; 1 if it could not be started.")]
    Exec {
        /// The pod
        pod: String,
        /// Its namespace
        #[arg(short, long, default_value = "default")]
        namespace: String,
        /// Directory of the lab, if several run
        #[arg(long, value_name = "DIR")]
        lab: Option<PathBuf>,
        /// The command and its arguments, after two dashes
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Print what leads kubectl and podid's commands to the lab that runs; use it as: eval "$(podid lab env)"
    ///
    /// The lines set KUBECONFIG, the variables of the tutorial, and those by which podid's commands find the lab's
    /// Azure and log in to it as an owner of the lab's subscription: AZURE_CLOUD, AZURE_ENVIRONMENT_FILEPATH,
    /// SSL_CERT_FILE, AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_ID.
    #[command(
        after_help = "Example:\n  podid lab up &\n  eval \"$(podid lab env)\"\n  podid enable -g \"$MY_RESOURCE_GROUP\" \
-n \"$MY_CLUSTER\" --dry-run\n\nExit codes: 0 printed, 1 no lab runs, or several do and --lab does not say which."
    )]
    Env {
        /// Directory of the lab, if several run
        #[arg(long, value_name = "DIR")]
        lab: Option<PathBuf>,
    },
    /// The lab inside its namespaces; started by the other commands
    #[command(hide = true)]
    Inside { home: PathBuf },
    /// The way from inside to a given API server; started by the other commands
    #[command(hide = true)]
    Relay { host: String, port: u16, parent: u32 },
}

#[derive(clap::Args)]
struct Cluster {
    /// Standard: MIC assigns identities. Managed: they are on the nodes already
    #[arg(long, value_enum, default_value_t = ModeName::Standard)]
    mode: ModeName,
    /// Port of the Kubernetes API on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    api_port: u16,
    /// Use this cluster's API server instead of the lab's own. It needs the rights of cluster-admin, and a cluster
    /// without nodes and assignments of others, such as a control plane for tests; at the end the lab removes what
    /// it put there
    #[arg(long, value_name = "FILE", conflicts_with = "api_port")]
    kubeconfig: Option<PathBuf>,
    /// How slow, strict and faulty the simulated Azure is, in JSON or YAML
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeName {
    Standard,
    Managed,
}

/// Runs a command of the lab.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Demo { cluster, keep } => podid_lab::start(&cluster.settings(true, *keep)?),
        Command::Up { cluster } => podid_lab::start(&cluster.settings(false, true)?),
        Command::Exec { pod, namespace, lab, command } => podid_lab::exec(&Exec {
            lab: lab.clone(),
            namespace: namespace.clone(),
            pod: pod.clone(),
            command: command.clone(),
        }),
        Command::Env { lab } => {
            anstream::print!("{}", podid_lab::environment(lab.clone())?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Inside { home } => podid_lab::inside(home.clone()),
        Command::Relay { host, port, parent } => podid_lab::relay(host, *port, *parent),
    }
}

impl Cluster {
    fn settings(&self, story: bool, keep: bool) -> anyhow::Result<Settings> {
        let mode = match self.mode {
            ModeName::Standard => Mode::Standard,
            ModeName::Managed => Mode::Managed,
        };
        let scenario = podid_lab::scenario(self.scenario.as_deref())?;
        let (api_port, kubeconfig) = (self.api_port, self.kubeconfig.clone());
        Ok(Settings { mode, story, keep, api_port, kubeconfig, scenario })
    }
}
