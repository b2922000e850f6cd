//! Does the cluster get fixes by itself?

use crate::expect::{has_value, not_equals};
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

const CHANNEL: &str = "Properties.autoUpgradeProfile.upgradeChannel";

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.AutoUpgrade",
        reference: "AZR-000036",
        level: Level::Error,
        title: "Set an auto-upgrade channel",
        synopsis: "Configure AKS to automatically upgrade to newer supported AKS versions as they are made available.",
        recommendation: "Choose a channel: `az aks update --auto-upgrade-channel stable`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.AutoUpgrade/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "PV-7")],
        release: Release::Ga,
        rule_set: "2021_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.AutoUpgrade.md"),
    },
    applies: always,
    check: |target, _| has_value(target, CHANNEL).and(|| not_equals(target, CHANNEL, "none")),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"autoUpgradeProfile": {"upgradeChannel": "stable"}}}), "Pass Processed"),
            (
                json!({"properties": {"autoUpgradeProfile": {"upgradeChannel": "None"}}}),
                "Fail Processed Path Properties.autoUpgradeProfile.upgradeChannel: Is set to 'None'.",
            ),
            (
                json!({"properties": {"autoUpgradeProfile": {"upgradeChannel": ""}}}),
                "Fail Processed Path Properties.autoUpgradeProfile.upgradeChannel: Is set to ''.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.autoUpgradeProfile.upgradeChannel: The field 'Properties.autoUpgradeProfile.upgradeChannel' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
