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
    #[error("cluster {0} has no managed identity; give it one with: az aks update --enable-managed-identity")]
    NoIdentity(String),
    /// Nothing says in which subscription the cluster is.
    #[error("no node tells the subscription of the cluster; give --subscription")]
    NoSubscription,
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
    match cluster(azure, named, targets).await? {
        Ok(cluster) => choose(cluster, mode),
        Err(why) => Ok(Owner::Unknown(why)),
    }
}

/// Finds the cluster in Azure whose nodes are on `targets`; the inner error says why none is known.
pub(crate) async fn cluster(
    azure: &impl Azure,
    named: &Named,
    targets: &[ComputeId],
) -> Result<Result<ManagedCluster, String>, Error> {
    let place = targets.first().map(place);
    let Some([subscription, group, name]) = cluster_name(azure, named, place).await? else {
        return Ok(Err("no cluster is known in Azure that these nodes belong to".to_owned()));
    };
    let cluster = match azure.cluster(&subscription, &group, &name).await {
        Err(error) if error.is_denial() && named.cluster.is_none() => {
            return Ok(Err(error.to_string()));
        }
        answer => answer?.ok_or_else(|| Error::NoCluster(format!("{name} in resource group {group}")))?,
    };
    let theirs = cluster.node_group.clone().unwrap_or_default();
    match place {
        Some((_, ours)) if !theirs.is_empty() && !ours.eq_ignore_ascii_case(&theirs) => {
            Err(Error::OtherCluster { named: cluster.id, theirs, ours: ours.to_owned() })
        }
        _ => Ok(Ok(cluster)),
    }
}

/// Subscription, resource group and name of the cluster: as it was named, or as the nodes' group tells.
async fn cluster_name(
    azure: &impl Azure,
    named: &Named,
    place: Option<(&str, &str)>,
) -> Result<Option<[String; 3]>, Error> {
    match (&named.resource_group, &named.cluster) {
        (Some(group), Some(cluster)) => {
            let subscription = named.subscription.as_deref().or(place.map(|(subscription, _)| subscription));
            let subscription = subscription.ok_or(Error::NoSubscription)?;
            Ok(Some([subscription.to_owned(), group.clone(), cluster.clone()]))
        }
        (None, None) => {
            let Some((subscription, group)) = place else { return Ok(None) };
            match azure.manager_of_group(subscription, group).await {
                Ok(manager) => Ok(manager.as_deref().and_then(parse)),
                Err(error) if error.is_denial() => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        _ => Err(Error::Half),
    }
}

/// Subscription, resource group and name in the ARM id of a cluster.
fn parse(id: &str) -> Option<[String; 3]> {
    let parts: Vec<&str> = id.trim_start_matches('/').split('/').collect();
    let [_, subscription, _, group, _, provider, kind, name] = parts.as_slice() else { return None };
    let fits = provider.eq_ignore_ascii_case("Microsoft.ContainerService")
        && kind.eq_ignore_ascii_case("managedClusters");
    fits.then(|| [subscription, group, name].map(|part| (*part).to_owned()))
}

fn choose(cluster: ManagedCluster, mode: Mode) -> Result<Owner, Error> {
    let of_mode = match mode {
        Mode::Standard => cluster.kubelet.or(cluster.control_plane),
        Mode::Managed => cluster.control_plane,
    };
    of_mode.map(Owner::Known).ok_or(Error::NoIdentity(cluster.id))
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
