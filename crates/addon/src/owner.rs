//! Who has to have the role on an identity: which is the cluster's own?
//!
//! The add-on's answer is the control plane's identity. Where MIC puts identities on nodes it is the
//! nodes' own, because MIC uses that. Both are told by the cluster in Azure, which is named, or found by
//! the resource group of the nodes.

use podid_core::addon::state::Mode;
use podid_core::ids::{ComputeId, PrincipalId};

use crate::azure::{self, Azure, ManagedCluster};

/// What a person said about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Subscription of the cluster, if it is not that of the nodes.
    pub subscription: Option<String>,
    /// Resource group of the cluster.
    pub resource_group: Option<String>,
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Object id of the identity itself.
    pub principal: Option<PrincipalId>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The identity that has to have the role.
    Known(PrincipalId),
    /// Nobody knows, and for this reason; the role has to be granted by hand where it is needed.
    Unknown(String),
}

/// Why what was said cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Only half was said.
    #[error("--resource-group and --cluster-name name a cluster together; give both, or neither")]
    Half,
    /// There is no such cluster.
    #[error(
        "cluster {0} does not exist in Azure, or you may not see it; check --resource-group, \
         --cluster-name and --subscription, or leave them out where the cluster's nodes tell"
    )]
    NoCluster(String),
    /// It is another cluster than the kubeconfig's.
    #[error(
        "--cluster-name names {named}, whose nodes are in resource group {theirs}, but the nodes of the \
         cluster that kubectl talks to are in {ours}; name the right cluster, or another --context"
    )]
    OtherCluster {
        /// The cluster in Azure.
        named: String,
        /// Its nodes' group.
        theirs: String,
        /// The group of the nodes that Kubernetes tells.
        ours: String,
    },
    /// The cluster has no managed identity, which the add-on requires.
    #[error(
        "cluster {0} has no managed identity ({1:?}); the AKS way to give it one is: \
         az aks update --enable-managed-identity"
    )]
    NoIdentity(String, String),
    /// Azure did not say.
    #[error(transparent)]
    Azure(#[from] azure::Error),
}

/// Finds the identity that has to have the role, in a cluster whose nodes are on `targets`.
pub async fn find(
    azure: &impl Azure,
    named: &Named,
    mode: Mode,
    targets: &[ComputeId],
) -> Result<Owner, Error> {
    if let Some(principal) = &named.principal {
        return Ok(Owner::Known(principal.clone()));
    }
    let group = targets.first().map(place);
    let id = match (&named.resource_group, &named.cluster) {
        (Some(resource_group), Some(cluster)) => {
            let subscription = named.subscription.as_deref().or(group.map(|(subscription, _)| subscription));
            let Some(subscription) = subscription else {
                return Ok(Owner::Unknown("no node tells the subscription; give --subscription".to_owned()));
            };
            Some(format!(
                "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/\
                 Microsoft.ContainerService/managedClusters/{cluster}"
            ))
        }
        (None, None) => match group {
            Some((subscription, group)) => azure.manager_of_group(subscription, group).await?,
            None => None,
        },
        _ => return Err(Error::Half),
    };
    let Some(id) = id else {
        return Ok(Owner::Unknown("Azure knows no cluster that these nodes belong to".to_owned()));
    };
    let cluster = azure.cluster(&id).await?.ok_or_else(|| Error::NoCluster(id.clone()))?;
    if let Some((_, ours)) = group.filter(|(_, ours)| !ours.eq_ignore_ascii_case(&cluster.node_group)) {
        let (named, theirs) = (cluster.id, cluster.node_group);
        return Err(Error::OtherCluster { named, theirs, ours: ours.to_owned() });
    }
    choose(cluster, mode)
}

fn choose(cluster: ManagedCluster, mode: Mode) -> Result<Owner, Error> {
    let of_mode = match mode {
        Mode::Standard => cluster.kubelet.or(cluster.control_plane),
        Mode::Managed => cluster.control_plane,
    };
    of_mode.map(Owner::Known).ok_or(Error::NoIdentity(cluster.id, cluster.identity_type))
}

/// Subscription and resource group of a VM or scale set.
fn place(target: &ComputeId) -> (&str, &str) {
    let mut parts = target.as_str().split('/');
    (parts.nth(2).unwrap_or_default(), parts.nth(1).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Play, principal};

    fn named(group: &str, cluster: &str) -> Named {
        Named { resource_group: Some(group.into()), cluster: Some(cluster.into()), ..Named::default() }
    }

    #[tokio::test]
    async fn the_nodes_lead_to_the_cluster_and_it_tells_its_identity() {
        let play = Play::new();
        let targets = play.targets();
        let find = async |named: &Named, mode| find(&play, named, mode, &targets).await;
        let none = Named::default();
        let known = |name: &str| Owner::Known(principal(name));
        assert_eq!(find(&none, Mode::Managed).await.unwrap(), known("control-plane"));
        assert_eq!(find(&none, Mode::Standard).await.unwrap(), known("kubelet"));
        assert_eq!(find(&named("G", "c"), Mode::Managed).await.unwrap(), known("control-plane"));
        let given = Named { principal: Some(principal("given")), ..Named::default() };
        assert_eq!(find(&given, Mode::Managed).await.unwrap(), known("given"));
    }

    #[tokio::test]
    async fn another_cluster_than_the_one_that_is_talked_to_is_refused() {
        let play = Play::new();
        let targets = [ComputeId::scale_set("s", "MC_other", "pool")];
        let error = find(&play, &named("g", "c"), Mode::Managed, &targets).await.unwrap_err();
        assert!(matches!(error, Error::OtherCluster { .. }), "{error}");
        let half = Named { cluster: Some("c".into()), ..Named::default() };
        assert!(matches!(find(&play, &half, Mode::Managed, &play.targets()).await, Err(Error::Half)));
        let nobody = find(&play, &named("g", "nobody"), Mode::Managed, &play.targets()).await;
        assert!(matches!(nobody, Err(Error::NoCluster(_))));
        let unknown = find(&play, &Named::default(), Mode::Managed, &targets).await.unwrap();
        assert!(matches!(unknown, Owner::Unknown(_)), "{unknown:?}");
    }
}
