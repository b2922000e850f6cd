//! Is there a way in that no name is behind?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.LocalAccounts",
        reference: "AZR-000031",
        level: Level::Error,
        title: "Disable local accounts",
        synopsis: "Enforce named user accounts with RBAC assigned permissions.",
        recommendation: "Switch them off: `az aks update --disable-local-accounts`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.LocalAccounts/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, PA-7")],
        release: Release::Preview,
        rule_set: "2021_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.LocalAccounts.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.disableLocalAccounts", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"disableLocalAccounts": true}}), "Pass Processed"),
            (
                json!({"properties": {"disableLocalAccounts": false}}),
                "Fail Processed Path Properties.disableLocalAccounts: Is set to 'False'.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.disableLocalAccounts: The field 'Properties.disableLocalAccounts' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
