//! What does ARM say of an AKS cluster?

use podid_core::ids::{ClientId, IdentityResourceId, PrincipalId};
use serde_json::Value;

use super::{Error, Version};
use crate::arm::Arm;

/// Microsoft.ContainerService.
const VERSION: Version = Version("2024-05-01");

/// An AKS cluster, as far as identities of pods are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedCluster {
    /// Its ARM id.
    pub id: String,
    /// The resource group that holds its nodes (`MC_…`).
    pub node_resource_group: Option<String>,
    /// The identity of its control plane; roles are granted to it.
    pub identity: Option<ClusterIdentity>,
    /// Client id of the identity with which its nodes fetch images.
    pub kubelet_client_id: Option<ClientId>,
    /// Object id of the same identity; roles are granted to it.
    pub kubelet_object_id: Option<PrincipalId>,
    /// `azure`, `kubenet` or `none`.
    pub network_plugin: Option<String>,
    /// Its node pools.
    pub pools: Vec<AgentPool>,
    /// Whether the add-on of AKS itself is on (`podIdentityProfile.enabled`).
    pub has_pod_identity_addon: bool,
    /// Its address, without scheme.
    pub fqdn: Option<String>,
}

/// The identity of a cluster's control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterIdentity {
    /// It comes and goes with the cluster.
    SystemAssigned(PrincipalId),
    /// It was brought along.
    UserAssigned(IdentityResourceId, PrincipalId),
}

/// A node pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPool {
    /// Its name.
    pub name: String,
    /// `Linux` or `Windows`.
    pub os: String,
    /// `VirtualMachineScaleSets`, `AvailabilitySet` or `VirtualMachines`.
    pub kind: String,
}

// === impl Arm ===

impl Arm {
    /// Reads an AKS cluster.
    pub async fn managed_cluster(
        &self,
        subscription: &str,
        group: &str,
        name: &str,
    ) -> Result<ManagedCluster, Error> {
        let id = ManagedCluster::id(subscription, group, name);
        ManagedCluster::parse(&id, &self.read(&id, VERSION).await?).ok_or_else(|| Error::malformed(&id))
    }
}

// === impl ManagedCluster ===

impl ManagedCluster {
    /// ARM id of the cluster of that name.
    pub fn id(subscription: &str, group: &str, name: &str) -> String {
        format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}"
        )
    }

    fn parse(id: &str, document: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let properties = document.get("properties")?;
        let kubelet = &properties["identityProfile"]["kubeletidentity"];
        let pools = properties["agentPoolProfiles"].as_array().map(Vec::as_slice).unwrap_or_default();
        Some(Self {
            id: id.to_owned(),
            node_resource_group: text(&properties["nodeResourceGroup"]),
            identity: ClusterIdentity::parse(&document["identity"]),
            kubelet_client_id: text(&kubelet["clientId"]).and_then(|id| ClientId::parse(&id).ok()),
            kubelet_object_id: text(&kubelet["objectId"]).and_then(|id| PrincipalId::parse(&id).ok()),
            network_plugin: text(&properties["networkProfile"]["networkPlugin"]),
            pools: pools.iter().filter_map(AgentPool::parse).collect(),
            has_pod_identity_addon: properties["podIdentityProfile"]["enabled"] == true,
            fqdn: text(&properties["fqdn"]),
        })
    }
}

// === impl ClusterIdentity ===

impl ClusterIdentity {
    /// The object in Entra that roles are granted to.
    pub fn principal(&self) -> &PrincipalId {
        match self {
            Self::SystemAssigned(principal) | Self::UserAssigned(_, principal) => principal,
        }
    }

    fn parse(identity: &Value) -> Option<Self> {
        let kind = identity["type"].as_str()?;
        let principal = |of: &Value| PrincipalId::parse(of["principalId"].as_str()?).ok();
        if kind.eq_ignore_ascii_case("SystemAssigned") {
            return principal(identity).map(Self::SystemAssigned);
        }
        if !kind.eq_ignore_ascii_case("UserAssigned") {
            return None;
        }
        let (id, inner) = identity["userAssignedIdentities"].as_object()?.iter().next()?;
        Some(Self::UserAssigned(IdentityResourceId::parse(id).ok()?, principal(inner)?))
    }
}

// === impl AgentPool ===

impl AgentPool {
    fn parse(pool: &Value) -> Option<Self> {
        let text = |key: &str, usual: &str| pool[key].as_str().unwrap_or(usual).to_owned();
        Some(Self {
            name: pool["name"].as_str()?.to_owned(),
            os: text("osType", "Linux"),
            kind: text("type", "VirtualMachineScaleSets"),
        })
    }
}
