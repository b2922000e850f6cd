//! Which rules are there over Azure's resources?

mod aks_managed_identity;
mod aks_pod_identity;

use crate::rule::{About, Rule};
use crate::settings::Settings;

/// The type of a cluster.
pub(crate) const CLUSTER: &str = "Microsoft.ContainerService/managedClusters";

/// The rules over Azure's resources, in the order in which they are asked.
pub static AZURE: [&Rule<Settings>; 2] = [&aks_managed_identity::RULE, &aks_pod_identity::RULE];

/// Every rule there is.
pub fn all() -> impl Iterator<Item = &'static About> + Clone {
    AZURE.into_iter().map(|rule| &rule.about)
}

/// The rule with this name or reference.
pub fn find(name: &str) -> Option<&'static About> {
    all().find(|rule| rule.is(name))
}

#[cfg(test)]
mod tests;
