//! Which cluster do `podid enable` and `podid disable` talk to, and how do they end?

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use podid_addon::azure::Subscription;
use podid_addon::owner::Named;
use podid_addon::{How, Session};
use podid_console::{Steps, exit};

use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-addon/", env!("CARGO_PKG_VERSION"));

/// The cluster, named as for `az aks update`, and as for kubectl.
#[derive(clap::Args)]
pub struct Cluster {
    /// Resource group of the cluster in Azure; only with --name
    #[arg(short = 'g', long, value_name = "GROUP")]
    resource_group: Option<String>,
    /// The cluster in Azure. It may be left out: the cluster's nodes lead to it
    #[arg(short, long, visible_alias = "cluster-name", value_name = "CLUSTER")]
    name: Option<String>,
    /// Subscription of the cluster, if it is not that of its nodes
    #[arg(long, value_name = "SUBSCRIPTION", env = "AZURE_SUBSCRIPTION_ID", hide_env_values = true)]
    subscription: Option<String>,
    /// The cloud: AzureCloud, AzureUSGovernment, AzureChinaCloud, or AzureStackCloud with
    /// AZURE_ENVIRONMENT_FILEPATH [default: $AZURE_CLOUD, else AzureCloud]
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<String>,
    /// Taken, and of no effect: no call goes to the resource provider of AKS's add-on
    #[arg(long, value_name = "HEADERS", hide = true)]
    aks_custom_headers: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// How a command ended that did not do what it should.
pub enum Failure {
    /// The arguments cannot be meant.
    Usage(String),
    /// The cluster or Azure, as things are.
    Failed(podid_addon::enable::Error),
    /// There is no way to the cluster.
    NoCluster(String),
}

/// Runs a command to its end, and says how it ended.
pub fn run(command: impl Future<Output = Result<u8, Failure>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (message, code) = match runtime.block_on(command) {
        Ok(code) => return Ok(ExitCode::from(code)),
        Err(Failure::Usage(message)) => (message, exit::USAGE),
        Err(Failure::NoCluster(message)) => (message, exit::NOT_LOOKED_AT),
        Err(Failure::Failed(error)) => (error.to_string(), error.exit_code()),
    };
    anstream::eprintln!("podid: {message}");
    Ok(ExitCode::from(code))
}

/// How to do it.
pub fn how(dry_run: bool, wait: bool, seconds: u64) -> How {
    How { dry_run, wait, patience: Duration::from_secs(seconds), ..How::default() }
}

/// Prints what would be done.
pub fn print_plan(steps: &[String]) {
    for step in steps {
        anstream::println!("would {step}");
    }
}

// === impl Cluster ===

impl Cluster {
    /// A session with this cluster and with Azure, in which nothing was asked yet.
    pub async fn session(&self, steps: Steps, how: How) -> Result<Session<Subscription>, Failure> {
        let client = self.access.client(USER_AGENT).await;
        let client = client.map_err(|error| Failure::NoCluster(error.to_string()))?;
        Ok(Session::new(client, Subscription::new(USER_AGENT, self.cloud.clone()), steps, how))
    }

    /// What was said about the cluster in Azure.
    pub fn named(&self) -> Result<Named, Failure> {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (resource_group, cluster) = (filled(&self.resource_group), filled(&self.name));
        if resource_group.is_some() != cluster.is_some() {
            let message = "--resource-group and --name name a cluster together; give both, or neither";
            return Err(Failure::Usage(message.to_owned()));
        }
        Ok(Named { subscription: filled(&self.subscription), resource_group, cluster, principal: None })
    }
}

// === impl Failure ===

impl<E: Into<podid_addon::enable::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
