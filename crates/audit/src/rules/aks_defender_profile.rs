//! Does somebody watch what runs in the cluster?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.DefenderProfile",
        reference: "AZR-000370",
        level: Level::Error,
        title: "Enable the Defender profile",
        synopsis: "Enable the Defender profile with Azure Kubernetes Service (AKS) cluster.",
        recommendation: "Switch it on: `az aks update --enable-defender`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.DefenderProfile/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "LT-1")],
        release: Release::Ga,
        rule_set: "2023_03",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.DefenderProfile.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.securityProfile.defender.securityMonitoring.enabled", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (
                json!({"properties": {"securityProfile": {"defender": {"securityMonitoring": {"enabled": true}}}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"securityProfile": {}}}),
                "Fail Processed Path Properties.securityProfile.defender.securityMonitoring.enabled: The field 'Properties.securityProfile.defender.securityMonitoring.enabled' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
