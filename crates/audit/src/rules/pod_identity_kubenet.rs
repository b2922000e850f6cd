//! Can a pod on this cluster pass for another?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule};
use crate::rules::CLUSTER;
use crate::settings::Settings;
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Podid.AKS.PodIdentityKubenet",
        reference: "POD-000201",
        level: Level::Error,
        title: "Pod identity on kubenet",
        synopsis: "A cluster whose pods get identities by their address does not use kubenet, where a pod can take the address of another.",
        recommendation: "Move the cluster to Azure CNI, or drop `NET_RAW` from all pods (`podid policy net-raw --for vap`).",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.AKS.PodIdentityKubenet.md",
        tags: &[("Azure.WAF/pillar", "Security")],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Podid.AKS.PodIdentityKubenet.md"),
    },
    applies: |target, _| equals(target, "Properties.podIdentityProfile.enabled", true) == Verdict::Pass,
    check: |target, _| {
        let shared = equals(target, "Properties.networkProfile.networkPlugin", "kubenet") == Verdict::Pass;
        if !shared {
            return Verdict::Pass;
        }
        Verdict::fail_at(
            "Properties.networkProfile.networkPlugin",
            "Is set to 'kubenet', and the pod identity add-on is on.",
        )
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
                json!({"properties": {"podIdentityProfile": {"enabled": true}, "networkProfile": {"networkPlugin": "azure"}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"podIdentityProfile": {"enabled": true, "allowNetworkPluginKubenet": true}, "networkProfile": {"networkPlugin": "Kubenet"}}}),
                "Fail Processed Path Properties.networkProfile.networkPlugin: Is set to 'kubenet', and the pod identity add-on is on.",
            ),
            (
                json!({"properties": {"podIdentityProfile": {"enabled": false}, "networkProfile": {"networkPlugin": "kubenet"}}}),
                "None PreconditionFail",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
