//! Does Azure decide who may do what in the cluster?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.AzureRBAC",
        reference: "AZR-000032",
        level: Level::Error,
        title: "Use Azure RBAC for Kubernetes authorization",
        synopsis: "Use Azure RBAC for Kubernetes Authorization with AKS clusters.",
        recommendation: "Switch it on: `az aks update --enable-azure-rbac`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.AzureRBAC/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, PA-7")],
        release: Release::Ga,
        rule_set: "2021_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.AzureRBAC.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.aadProfile.enableAzureRbac", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"aadProfile": {"enableAzureRBAC": true}}}), "Pass Processed"),
            (
                json!({"properties": {"aadProfile": {"enableAzureRBAC": false}}}),
                "Fail Processed Path Properties.aadProfile.enableAzureRbac: Is set to 'False'.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.aadProfile.enableAzureRbac: The field 'Properties.aadProfile.enableAzureRbac' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
