//! Which rules are there, over Azure's resources and over live clusters?

mod aks_authorized_ips;
mod aks_auto_upgrade;
mod aks_azure_policy_add_on;
mod aks_azure_rbac;
mod aks_defender_profile;
mod aks_http_app_routing;
mod aks_local_accounts;
mod aks_managed_aad;
mod aks_managed_identity;
mod aks_network_policy;
mod aks_pod_identity;
mod aks_secret_store;
mod aks_secret_store_rotation;
mod aks_standard_lb;
mod aks_use_rbac;
mod cluster;
mod pod_identity_kubenet;
mod workload_identity;

use crate::rule::{About, Rule};
use crate::settings::Settings;

/// The type of a cluster.
pub(crate) const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";

/// The rules over Azure's resources, in the order in which they are asked.
pub static AZURE: [&Rule<Settings>; 17] = [
    &aks_managed_identity::RULE,
    &aks_pod_identity::RULE,
    &aks_use_rbac::RULE,
    &aks_managed_aad::RULE,
    &aks_azure_rbac::RULE,
    &aks_local_accounts::RULE,
    &aks_network_policy::RULE,
    &aks_authorized_ips::RULE,
    &aks_azure_policy_add_on::RULE,
    &aks_secret_store::RULE,
    &aks_secret_store_rotation::RULE,
    &aks_http_app_routing::RULE,
    &aks_auto_upgrade::RULE,
    &aks_defender_profile::RULE,
    &aks_standard_lb::RULE,
    &pod_identity_kubenet::RULE,
    &workload_identity::RULE,
];

pub use cluster::CLUSTER as LIVE;

/// Every rule there is.
pub fn all() -> impl Iterator<Item = &'static About> + Clone {
    AZURE.into_iter().map(|rule| &rule.about).chain(LIVE.into_iter().map(|rule| &rule.about))
}

/// The rule with this name or reference.
pub fn find(name: &str) -> Option<&'static About> {
    all().find(|rule| rule.is(name))
}

#[cfg(test)]
mod tests;
