//! Do people sign in to the cluster with Microsoft Entra ID?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.ManagedAAD",
        reference: "AZR-000029",
        level: Level::Error,
        title: "Use AKS-managed Entra ID integration",
        synopsis: "Use AKS-managed Azure AD to simplify authorization and improve security.",
        recommendation: "Switch it on: `az aks update --enable-aad --aad-admin-group-object-ids GROUP`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.ManagedAAD/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, IM-2")],
        release: Release::Ga,
        rule_set: "2021_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.ManagedAAD.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.aadProfile.managed", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"aadProfile": {"managed": true}}}), "Pass Processed"),
            (
                json!({"properties": {"aadProfile": {"managed": "true"}}}),
                "Fail Processed Path Properties.aadProfile.managed: Is set to 'true'.",
            ),
            (
                json!({"properties": {"aadProfile": null}}),
                "Fail Processed Path Properties.aadProfile.managed: The field 'Properties.aadProfile.managed' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
