//! Can traffic between pods be forbidden?

use crate::expect::within;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.NetworkPolicy",
        reference: "AZR-000027",
        level: Level::Error,
        title: "Use network policies",
        synopsis: "Deploy AKS clusters with Network Policies enabled.",
        recommendation: "Create the cluster with `--network-policy azure` or `calico`, or switch it on with `az aks update --network-policy`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.NetworkPolicy/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "NS-1")],
        release: Release::Ga,
        rule_set: "2020_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.NetworkPolicy.md"),
    },
    applies: always,
    check: |target, _| within(target, "Properties.networkProfile.networkPolicy", &["azure", "calico"]),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"networkProfile": {"networkPolicy": "Calico"}}}), "Pass Processed"),
            (
                json!({"properties": {"networkProfile": {"networkPolicy": "cilium"}}}),
                "Fail Processed Path Properties.networkProfile.networkPolicy: The value 'cilium' was not in 'azure', 'calico'.",
            ),
            (
                json!({"properties": {"networkProfile": {}}}),
                "Fail Processed Path Properties.networkProfile.networkPolicy: The field 'Properties.networkProfile.networkPolicy' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
