//! The arguments of `podid add`.

use podid_addon::list;
use podid_console::{Listing, Steps, exit};
use podid_core::addon::{DEFAULT_LIMIT, Wanted, name};
use podid_core::ids::{IdentityResourceId, ObjectRef};

use super::cluster::{Cluster, Waiting};
use super::{Failure, other, print_plan, usage};

pub(super) const HELP: &str = "\
What it does, as far as it is missing: grants Managed Identity Operator on the identity to the cluster's own identity, \
makes the namespace, an AzureIdentity and an AzureIdentityBinding, puts the identity on the node pools (managed mode; \
in standard mode MIC does), and waits until a pod could get a token. Run it again after an interruption: it goes on.\n\n\
Examples:\n  podid add --namespace my-app --name my-pod-identity --identity-resource-id \"$IDENTITY_RESOURCE_ID\"\n  \
podid add -g myResourceGroup --cluster-name myAKSCluster --namespace my-app -n one \\\n    \
--identity-resource-id \"$IDENTITY_RESOURCE_ID_1\" --binding-selector several\n\n\
Exit codes: 0 done, 1 refused or not finished, 2 wrong usage, 3 the cluster or Azure cannot be reached, or nobody is \
logged in.";

/// What `az aks pod-identity add` takes, and a little more.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the pod identity [default: the name of the identity in Azure]
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Namespace of the pods; it is made if it does not exist
    #[arg(long, value_name = "NAMESPACE")]
    namespace: String,
    /// ARM id of the user-assigned managed identity, as `az identity show --query id` prints it
    #[arg(long, value_name = "ID")]
    identity_resource_id: String,
    /// Value of the pods' label aadpodidbinding; the same for several identities gives a pod all of them
    /// [default: the name]
    #[arg(long, value_name = "SELECTOR")]
    binding_selector: Option<String>,
    /// Object id of the identity that gets the role, where podid does not find the cluster's own
    #[arg(long, value_name = "OBJECT_ID")]
    grant_to: Option<String>,
    /// Most pod identities that the cluster may have
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_LIMIT)]
    max_identities: usize,
    /// How to print the pod identity
    #[arg(short, long, value_enum, default_value_t = Listing::Table)]
    output: Listing,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    cluster: Cluster,
}

// === impl Args ===

impl Args {
    pub(super) async fn run(&self) -> Result<u8, Failure> {
        let (wanted, named) = (self.wanted()?, self.cluster.named(self.grant_to.as_deref())?);
        let steps = if self.output == Listing::Table { Steps::new() } else { Steps::quiet() };
        let session = self.cluster.session(steps, self.waiting.how(self.max_identities)).await?;
        let done = Box::pin(podid_addon::add::add(&session, &wanted, &named)).await?;
        if print_plan(&done) {
            return Ok(exit::FINE);
        }
        let rows: Vec<_> = podid_addon::add::row(&session, &wanted).await?.into_iter().collect();
        let json = rows.first().map(list::Row::json).unwrap_or_default();
        let text = self.output.render(&json, || list::table(&rows), || list::names(&rows)).map_err(other)?;
        anstream::print!("{text}");
        if self.output == Listing::Table {
            anstream::eprintln!(
                "Pods in namespace {} with the label aadpodidbinding={} get its tokens.",
                wanted.id.namespace,
                wanted.selector
            );
        }
        Ok(exit::FINE)
    }

    pub(super) fn wanted(&self) -> Result<Wanted, Failure> {
        let resource = IdentityResourceId::parse(&self.identity_resource_id)
            .map_err(|error| usage(format!("--identity-resource-id: {error}")))?;
        // An empty name is none, as for az.
        let given = self.name.clone().filter(|name| !name.is_empty());
        let name = given.unwrap_or_else(|| name::for_identity(&resource));
        name::object("--name", &name).map_err(usage)?;
        name::namespace("--namespace", &self.namespace).map_err(usage)?;
        let selector = name::selector(&name, self.binding_selector.as_deref()).map_err(usage)?.into();
        Ok(Wanted { id: ObjectRef::new(self.namespace.as_str(), name), resource, selector })
    }
}
