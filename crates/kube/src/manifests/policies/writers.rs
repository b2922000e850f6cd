//! Who may write an `AzureAssignedIdentity`, by which NMI hands out tokens (W-53)?
//!
//! MIC, and whom the operator names. Anybody else who has the right may delete one and edit what
//! decides nothing, such as its finalizers: the control plane's garbage collector and namespace
//! controller do no more, and an administrator needs it where MIC is gone for good.

use serde_json::Value;

use super::{On, Policy, Rule, quoted};
use crate::manifests::Install;
use crate::manifests::rbac::account_name;

/// The policy and its binding.
pub(super) fn objects(install: &Install) -> Vec<Value> {
    let mic = format!("system:serviceaccount:{}:{}", install.namespace, account_name("mic"));
    let all: Vec<String> = std::iter::once(mic).chain(install.assignment_writers.iter().cloned()).collect();
    let listed = all.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let rule = Rule::new(
        "variables.isWriter || variables.changesNothingThatCounts",
        "only MIC writes AzureAssignedIdentity objects; others may delete them and edit their finalizers and annotations",
    )
    .reason("Forbidden")
    .detailed(format!("request.userInfo.username + {}", quoted(&format!(
        " may not write AzureAssignedIdentity objects, by which pods get tokens: only {} may. Deleting one and editing its finalizers and annotations stays possible. To let another account write, for example the MIC of aad-pod-identity during a migration, add it to this policy",
        all.join(", ")
    ))));
    let policy = Policy {
        name: "podid-assignment-writers",
        on: vec![On::ours("azureassignedidentities")],
        conditions: &[],
        variables: vec![
            ("isWriter", format!("request.userInfo.username in [{listed}]")),
            (
                "changesNothingThatCounts",
                "request.operation == 'UPDATE' && object.?spec == oldObject.?spec && object.?status == oldObject.?status && object.metadata.?labels.orValue({}) == oldObject.metadata.?labels.orValue({})".to_owned(),
            ),
        ],
        rules: vec![rule],
    };
    vec![policy.object(), policy.bound("", &["CREATE", "UPDATE"], &["Deny", "Audit"])]
}
