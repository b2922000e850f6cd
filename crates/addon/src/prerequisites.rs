//! What has to be known of a cluster before podid is turned on in it?

use std::collections::BTreeSet;

use podid_core::addon::enable::{Managed, Seen};
use podid_core::ids::ComputeId;
use podid_core::target;
use podid_kube::{installation, pod_identities};

use crate::azure::Azure;
use crate::owner::{self, Named};
use crate::{Error, Session};

// === impl Session ===

impl<A: Azure> Session<A> {
    /// Looks at the cluster, and at its resource in Azure where one is known. A person may say what the
    /// network plugin is; Azure knows better.
    pub(crate) async fn seen(&self, named: &Named, plugin: Option<&str>) -> Result<Seen, Error> {
        let installed = installation::found(&self.client).await?;
        let nodes = pod_identities::nodes(&self.client).await?;
        let (mut targets, mut elsewhere) = (BTreeSet::new(), Vec::new());
        for node in &nodes {
            match target::target(node) {
                Ok(target) => drop(targets.insert(target)),
                Err(problem) => elsewhere.push((node.name.clone(), problem.to_string())),
            }
        }
        let targets: Vec<ComputeId> = targets.into_iter().collect();
        let cluster = self.in_azure(named, &targets).await?;
        let told = cluster.as_ref().and_then(|cluster| cluster.network_plugin.as_deref());
        Ok(Seen {
            linux_nodes: nodes.len(),
            elsewhere,
            plugin: told.or(plugin).map(Into::into),
            managed: cluster.as_ref().map(|cluster| Managed {
                id: cluster.id.as_str().into(),
                has_identity: cluster.control_plane.is_some(),
                has_addon: cluster.has_addon,
            }),
            installed,
        })
    }

    /// The cluster's resource in Azure. One that was named must be there; where none was, whatever keeps
    /// us from knowing it is said, and the rest goes on without.
    async fn in_azure(
        &self,
        named: &Named,
        targets: &[ComputeId],
    ) -> Result<Option<crate::azure::ManagedCluster>, Error> {
        let look = self.steps.begin("look at the cluster's resource in Azure");
        let is_named = named.cluster.is_some();
        let why = match owner::cluster(&self.azure, named, targets).await {
            Ok(Ok(cluster)) => {
                look.done();
                return Ok(Some(cluster));
            }
            Ok(Err(why)) if !is_named => why,
            Err(owner::Error::Azure(error)) if !is_named => error.to_string(),
            Ok(Err(why)) => {
                look.failed();
                return Err(owner::Error::NoCluster(why).into());
            }
            Err(error) => {
                look.failed();
                return Err(error.into());
            }
        };
        look.warned(&format!("left out, {why}; its network plugin and identity were not checked"));
        Ok(None)
    }
}
