//! Which cluster, and how patient? The arguments that all the commands have.

use std::time::Duration;

use podid_addon::azure::Subscription;
use podid_addon::owner::Named;
use podid_addon::{How, Session};
use podid_console::Steps;
use podid_core::ids::PrincipalId;

use super::{Failure, usage};
use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-addon/", env!("CARGO_PKG_VERSION"));

/// The cluster, named as for `az`, and as for kubectl.
#[derive(clap::Args)]
pub struct Cluster {
    /// Resource group of the cluster in Azure; only with --cluster-name
    #[arg(short = 'g', long, value_name = "GROUP")]
    resource_group: Option<String>,
    /// The cluster in Azure. It may be left out: the cluster's nodes lead to it
    #[arg(long = "cluster-name", value_name = "CLUSTER")]
    called: Option<String>,
    /// Subscription of the cluster, if it is not that of its nodes
    #[arg(long, value_name = "SUBSCRIPTION", env = "AZURE_SUBSCRIPTION_ID", hide_env_values = true)]
    subscription: Option<String>,
    /// Taken, and of no effect: no call goes to the resource provider of AKS's add-on
    #[arg(long, value_name = "HEADERS", hide_short_help = true)]
    aks_custom_headers: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Whether and how long to wait.
#[derive(clap::Args)]
pub struct Waiting {
    /// Do not wait until it has taken effect
    #[arg(long)]
    no_wait: bool,
    /// Longest time to wait for that, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(..=86_400))]
    timeout: u64,
    /// Print what would be done, to Azure and to the cluster, and do nothing
    #[arg(long)]
    dry_run: bool,
}

// === impl Cluster ===

impl Cluster {
    /// A session with this cluster and with Azure, in which nothing was asked yet.
    pub(super) async fn session(&self, steps: Steps, how: How) -> Result<Session<Subscription>, Failure> {
        let client = self.access.client(USER_AGENT).await;
        let client = client.map_err(|error| Failure::NoCluster(error.to_string()))?;
        Ok(Session::new(client, Subscription::new(USER_AGENT, None), steps, how))
    }

    /// What was said about the cluster in Azure.
    pub(super) fn named(&self, grant_to: Option<&str>) -> Result<Named, Failure> {
        let principal = grant_to.map(PrincipalId::parse).transpose().map_err(usage)?;
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (resource_group, cluster) = (filled(&self.resource_group), filled(&self.called));
        if resource_group.is_some() != cluster.is_some() {
            return Err(usage(podid_addon::owner::Error::Half));
        }
        Ok(Named { subscription: filled(&self.subscription), resource_group, cluster, principal })
    }
}

// === impl Waiting ===

impl Waiting {
    /// How to do it, with at most `limit` of the kind in the cluster.
    pub(super) fn how(&self, limit: usize) -> How {
        How {
            dry_run: self.dry_run,
            wait: !self.no_wait,
            patience: Duration::from_secs(self.timeout),
            limit,
            stop_after: None,
        }
    }
}
