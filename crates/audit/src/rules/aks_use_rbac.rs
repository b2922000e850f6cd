//! Does the API server ask who may do what?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.UseRBAC",
        reference: "AZR-000038",
        level: Level::Error,
        title: "Use Kubernetes RBAC",
        synopsis: "Deploy AKS cluster with role-based access control (RBAC) enabled.",
        recommendation: "Create the cluster with `--enable-rbac` (the default of `az aks create`); a cluster that was made without it has to be made anew.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.UseRBAC/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, PA-7")],
        release: Release::Ga,
        rule_set: "2020_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.UseRBAC.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.enableRBAC", true),
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({"properties": {"enableRBAC": true}}), "Pass Processed"),
            (json!({"properties": {"enableRbac": true}}), "Pass Processed"),
            (
                json!({"properties": {"enableRBAC": false}}),
                "Fail Processed Path Properties.enableRBAC: Is set to 'False'.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.enableRBAC: The field 'Properties.enableRBAC' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
