//! Is there a way into the cluster that was meant for trials only?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;
use crate::verdict::Verdict;

const ENABLED: &str = "Properties.addonProfiles.httpApplicationRouting.enabled";

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.HttpAppRouting",
        reference: "AZR-000035",
        level: Level::Error,
        title: "Disable HTTP application routing",
        synopsis: "Disable HTTP application routing add-on in AKS clusters.",
        recommendation: "Switch it off: `az aks disable-addons --addons http_application_routing`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.HttpAppRouting/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "NS-1, DP-4")],
        release: Release::Ga,
        rule_set: "2021_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.HttpAppRouting.md"),
    },
    applies: always,
    check: |target, _| {
        if target.at(ENABLED).is_none() { Verdict::Pass } else { equals(target, ENABLED, false) }
    },
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::tests::outcome;

    #[test]
    fn each_case_has_its_outcome() {
        let cases = [
            (json!({}), "Pass Processed"),
            (
                json!({"properties": {"addonProfiles": {"httpApplicationRouting": {"enabled": false}}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"addonProfiles": {"httpApplicationRouting": {"enabled": true}}}}),
                "Fail Processed Path Properties.addonProfiles.httpApplicationRouting.enabled: Is set to 'True'.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
