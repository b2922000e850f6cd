//! What may rules over Azure's resources be told?

/// What rules over Azure's resources know beside their target.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The longest prefix of a subnet for a cluster with Azure CNI. PSRule's
    /// `AZURE_AKS_CNI_MINIMUM_CLUSTER_SUBNET_SIZE`.
    pub cni_subnet_size: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cni_subnet_size: 23 }
    }
}
