//! Which AKS clusters exist, as far as identities of pods are concerned?

use super::directory::ManagedIdentity;
use crate::azure::id::ArmId;

/// An AKS cluster.
#[derive(Clone, Debug)]
pub struct ManagedCluster {
    /// Its ARM id.
    pub id: ArmId,
    /// Name of the resource group that holds its nodes.
    pub node_group: String,
    /// The identity of its control plane.
    pub identity: ClusterIdentity,
    /// The identity with which its nodes fetch images.
    pub kubelet: ManagedIdentity,
    /// `azure`, `kubenet` or `none`.
    pub network_plugin: String,
    /// Its node pools.
    pub pools: Vec<Pool>,
}

/// The identity of a cluster's control plane.
#[derive(Clone, Debug)]
pub enum ClusterIdentity {
    /// It comes and goes with the cluster; its object id.
    System(String),
    /// It was brought along.
    User(ManagedIdentity),
}

/// A node pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// `Linux` or `Windows`.
    pub os: String,
    /// `VirtualMachineScaleSets` or `AvailabilitySet`.
    pub kind: String,
    /// Number of its nodes.
    pub count: usize,
}

// === impl ManagedCluster ===

impl ManagedCluster {
    /// Object id of the control plane's identity.
    pub fn principal_id(&self) -> &str {
        match &self.identity {
            ClusterIdentity::System(principal_id) => principal_id,
            ClusterIdentity::User(identity) => &identity.principal_id,
        }
    }
}
