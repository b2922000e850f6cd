//! The arguments of `podid delete`.

use podid_console::{Steps, exit};
use podid_core::addon::{DEFAULT_LIMIT, name};
use podid_core::ids::ObjectRef;

use super::cluster::{Cluster, Waiting};
use super::{Failure, print_plan, usage};

pub(super) const HELP: &str = "\
What it undoes: the binding, the place on the node pools (managed mode, and only where podid put it and no other pod \
identity needs it), the AzureIdentity, in this order. It says what it leaves, and how to take that away. What \
somebody else made is not deleted. Run it again after an interruption: it goes on.\n\n\
Example:\n  podid delete --namespace my-app --name my-pod-identity\n\n\
Exit codes: 0 done, 1 refused (also where there is no such pod identity) or not finished, 2 wrong usage, 3 the \
cluster or Azure cannot be reached, or nobody is logged in.";

/// What `az aks pod-identity delete` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the pod identity
    #[arg(short, long, value_name = "NAME")]
    name: String,
    /// Its namespace
    #[arg(long, value_name = "NAMESPACE")]
    namespace: String,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    cluster: Cluster,
}

// === impl Args ===

impl Args {
    pub(super) async fn run(&self) -> Result<u8, Failure> {
        name::object("--name", &self.name).map_err(usage)?;
        name::namespace("--namespace", &self.namespace).map_err(usage)?;
        self.cluster.named(None)?;
        let id = ObjectRef::new(self.namespace.as_str(), self.name.as_str());
        let session = self.cluster.session(Steps::new(), self.waiting.how(DEFAULT_LIMIT)).await?;
        let (done, left) = Box::pin(podid_addon::delete::delete(&session, &id)).await?;
        let verb = if print_plan(&done) { "would stay" } else { "stays" };
        for left in left {
            anstream::println!("{verb}: {left}");
        }
        Ok(exit::FINE)
    }
}
