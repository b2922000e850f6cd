//! Is the load balancer one that has a future?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.StandardLB",
        reference: "AZR-000026",
        level: Level::Error,
        title: "Use the Standard load balancer",
        synopsis: "Use a Standard load-balancer with AKS clusters.",
        recommendation: "Create the cluster with `--load-balancer-sku standard` (the default); the basic one is retired.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.StandardLB/",
        tags: &[("Azure.WAF/pillar", "Performance Efficiency")],
        release: Release::Ga,
        rule_set: "2020_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.StandardLB.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.networkProfile.loadBalancerSku", "standard"),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"networkProfile": {"loadBalancerSku": "Standard"}}}), "Pass Processed"),
            (
                json!({"properties": {"networkProfile": {"loadBalancerSku": "basic"}}}),
                "Fail Processed Path Properties.networkProfile.loadBalancerSku: Is set to 'basic'.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.networkProfile.loadBalancerSku: The field 'Properties.networkProfile.loadBalancerSku' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
