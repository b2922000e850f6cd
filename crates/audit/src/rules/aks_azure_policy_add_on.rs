//! Can Azure Policy say what may run in the cluster?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.AzurePolicyAddOn",
        reference: "AZR-000028",
        level: Level::Error,
        title: "Use the Azure Policy add-on",
        synopsis: "AKS clusters should use Azure Policy add-on.",
        recommendation: "Switch it on: `az aks enable-addons --addons azure-policy`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.AzurePolicyAddOn/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "AM-2")],
        release: Release::Ga,
        rule_set: "2020_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.AzurePolicyAddOn.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.addonProfiles.azurePolicy.enabled", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"addonProfiles": {"azurePolicy": {"enabled": true}}}}), "Pass Processed"),
            (json!({"properties": {"addonProfiles": {"azurepolicy": {"enabled": true}}}}), "Pass Processed"),
            (
                json!({"properties": {"addonProfiles": {}}}),
                "Fail Processed Path Properties.addonProfiles.azurePolicy.enabled: The field 'Properties.addonProfiles.azurePolicy.enabled' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
