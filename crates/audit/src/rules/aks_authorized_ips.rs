//! Who can reach the API server at all?

use crate::expect::at_least;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.AuthorizedIPs",
        reference: "AZR-000030",
        level: Level::Error,
        title: "Restrict access to the API server",
        synopsis: "Restrict access to API server endpoints to authorized IP addresses.",
        recommendation: "Name the addresses that may: `az aks update --api-server-authorized-ip-ranges 192.0.2.0/24`, or make the cluster private.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.AuthorizedIPs/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "NS-1")],
        release: Release::Ga,
        rule_set: "2021_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.AuthorizedIPs.md"),
    },
    applies: always,
    check: |target, _| at_least(target, "Properties.apiServerAccessProfile.authorizedIPRanges", 1),
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
                json!({"properties": {"apiServerAccessProfile": {"authorizedIPRanges": ["192.0.2.0/24"]}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"apiServerAccessProfile": {"authorizedIPRanges": []}}}),
                "Fail Processed Path Properties.apiServerAccessProfile.authorizedIPRanges: The value '[]' is not >= 1.",
            ),
            (
                json!({"properties": {"apiServerAccessProfile": {"authorizedIPRanges": null}}}),
                "Fail Processed Path Properties.apiServerAccessProfile.authorizedIPRanges: Is null or empty.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.apiServerAccessProfile.authorizedIPRanges: The field 'Properties.apiServerAccessProfile.authorizedIPRanges' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
