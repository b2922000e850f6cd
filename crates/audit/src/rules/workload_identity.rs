//! Could workloads move on to workload identity?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Podid.AKS.WorkloadIdentity",
        reference: "POD-000202",
        level: Level::Information,
        title: "Have workload identity ready",
        synopsis: "The cluster issues tokens that Microsoft Entra ID accepts, so that workloads can move from pod identity to workload identity.",
        recommendation: "Switch it on beside what is there: `az aks update --enable-oidc-issuer --enable-workload-identity`.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.AKS.WorkloadIdentity.md",
        tags: &[("Azure.WAF/pillar", "Security")],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Podid.AKS.WorkloadIdentity.md"),
    },
    applies: always,
    check: |target, _| {
        equals(target, "Properties.oidcIssuerProfile.enabled", true)
            .and(|| equals(target, "Properties.securityProfile.workloadIdentity.enabled", true))
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
            (
                json!({"properties": {"oidcIssuerProfile": {"enabled": true}, "securityProfile": {"workloadIdentity": {"enabled": true}}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"oidcIssuerProfile": {"enabled": true}}}),
                "Fail Processed Path Properties.securityProfile.workloadIdentity.enabled: The field 'Properties.securityProfile.workloadIdentity.enabled' does not exist.",
            ),
            (
                json!({}),
                "Fail Processed Path Properties.oidcIssuerProfile.enabled: The field 'Properties.oidcIssuerProfile.enabled' does not exist.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
