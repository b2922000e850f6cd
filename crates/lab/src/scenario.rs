//! Which names and ids does the lab's world have? Those that the tutorial uses, where it has them.

use std::time::Duration;

use crate::azure::Settings;

/// The subscription.
pub(crate) const SUBSCRIPTION: &str = "5ab5c816-0000-4000-8000-00000000001a";
/// The tenant of everything.
pub(crate) const TENANT: &str = "7e0a0000-0000-4000-8000-00000000001a";
/// Resource group of the cluster's machines.
pub(crate) const NODE_GROUP: &str = "MC_podid-lab";
/// Resource group of the application's identity.
pub(crate) const IDENTITY_GROUP: &str = "myIdentityResourceGroup";
/// Where everything is.
pub(crate) const LOCATION: &str = "eastus";
/// The scale set.
pub(crate) const SCALE_SET: &str = "lab-vmss";
/// The nodes, in the order of their instances.
pub(crate) const NODES: [&str; 2] = ["lab-vmss000000", "lab-vmss000001"];
/// The application's identity.
pub(crate) const APPLICATION: &str = "application-identity";
/// The identity of the cluster itself, which MIC uses.
pub(crate) const CLUSTER: &str = "podid-lab-agentpool";
/// Resource group of the cluster.
pub(crate) const CLUSTER_GROUP: &str = "myResourceGroup";
/// Name of the cluster in Azure.
pub(crate) const CLUSTER_NAME: &str = "myAKSCluster";
/// The application in whose name commands beside the lab speak to Azure.
pub(crate) const USER: &str = "podid-lab-user";
/// The key vault.
pub(crate) const VAULT: &str = "podid-lab-vault";
/// The secret in it.
pub(crate) const SECRET: &str = "greeting";
/// Namespace of the tutorial's application.
pub(crate) const APP_NAMESPACE: &str = "my-app";
/// Name of the tutorial's pod identity.
pub(crate) const POD_IDENTITY: &str = "my-pod-identity";
/// Namespace of MIC and NMI.
pub(crate) const SYSTEM_NAMESPACE: &str = "kube-system";

/// How the simulated Azure behaves in the tutorial.
pub(crate) fn tutorial() -> Settings {
    let mut settings = of_the_tutorial(Settings::default());
    // A real scale set takes 40 to 60 seconds; this is long enough to see and short enough to wait for.
    settings.assignment.patch = Duration::from_secs(2);
    settings
}

/// `settings` with the ids that the tutorial's world has.
pub(crate) fn of_the_tutorial(settings: Settings) -> Settings {
    Settings {
        tenant: TENANT.into(),
        subscription: SUBSCRIPTION.into(),
        location: LOCATION.into(),
        ..settings
    }
}
