//! Which admission policies are in the cluster?

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use kube::{Api, Client, ResourceExt};
use podid_core::chain::Seen;

use super::unseen;
use crate::survey::pages;

/// Names of the policies that podid brings.
pub const NAMES: [&str; 4] =
    ["podid-assignment-writers", "podid-identity-fields", "podid-binding-fields", "podid-exception-fields"];

/// The policies that are in force, by name, if somebody wants to know.
pub(super) async fn look(client: &Client, wanted: bool) -> Seen<BTreeSet<String>> {
    if !wanted {
        return Seen::Unseen("it was not asked for".into());
    }
    let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let read = |object: &ValidatingAdmissionPolicyBinding| {
        let policy = object.spec.as_ref().and_then(|spec| spec.policy_name.clone());
        Some(policy.unwrap_or_else(|| object.name_any()))
    };
    match pages::all(api, "list validatingadmissionpolicybindings", read).await {
        Ok(names) => Seen::Known(names.into_iter().collect()),
        Err(error) => unseen(&error),
    }
}
