//! Which rules are there over a live cluster?

mod access;
mod access_exceptions;
mod access_grants;
mod agent_version;
mod binding_identity;
mod binding_shared_selector;
mod binding_unused;
mod definition_current;
mod exception_broad;
mod identity_secret;
mod identity_unused;
mod identity_valid;
mod node_agent;
mod original_leftover;
mod pod_host_network;
mod pod_net_raw;
mod pod_node_identity;
mod pod_workload_identity;

use crate::cluster::Picture;
use crate::rule::Rule;

/// The rules over a live cluster, in the order of their references.
pub static CLUSTER: [&Rule<Picture>; 17] = [
    &identity_unused::RULE,
    &binding_identity::RULE,
    &binding_unused::RULE,
    &binding_shared_selector::RULE,
    &identity_secret::RULE,
    &identity_valid::RULE,
    &exception_broad::RULE,
    &pod_net_raw::RULE,
    &pod_host_network::RULE,
    &node_agent::RULE,
    &definition_current::RULE,
    &agent_version::RULE,
    &pod_node_identity::RULE,
    &access_grants::RULE,
    &access_exceptions::RULE,
    &original_leftover::RULE,
    &pod_workload_identity::RULE,
];

#[cfg(test)]
mod tests;
