//! Has the cluster the pod identity add-on?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule};
use crate::rules::CLUSTER;
use crate::settings::Settings;
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.PodIdentity",
        reference: "AZR-000037",
        level: Level::Error,
        title: "Use managed identities for AKS pod authentication",
        synopsis: "Configure AKS clusters to use AAD pod identities to access Azure resources securely.",
        recommendation: "This rule is retired: the add-on never left preview. Give pods identities with podid or \
                         with workload identity; with the add-on, `az aks update --enable-pod-identity`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.PodIdentity/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, IM-2")],
        release: Release::Preview,
        rule_set: "2021_12",
        retired: Some("2023_06"),
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.PodIdentity.md"),
    },
    // PSRule's selector Azure.AKS.AzureCNI.
    applies: |target, _| equals(target, "Properties.networkProfile.networkPlugin", "azure") == Verdict::Pass,
    check: |target, _| equals(target, "Properties.podIdentityProfile.enabled", true),
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rules::tests::outcome;

    fn cluster(plugin: &Value, profile: &Value) -> Value {
        json!({"properties": {"networkProfile": {"networkPlugin": plugin}, "podIdentityProfile": profile}})
    }

    #[test]
    fn with_azure_cni_it_passes_exactly_when_the_add_on_is_on() {
        let set = |shown| {
            format!("Fail Processed Path Properties.podIdentityProfile.enabled: Is set to '{shown}'.")
        };
        let missing = "Fail Processed Path Properties.podIdentityProfile.enabled: The field \
                       'Properties.podIdentityProfile.enabled' does not exist.";
        let cases = [
            (json!({"enabled": true}), "Pass Processed".to_owned()),
            (json!({"Enabled": true}), "Pass Processed".to_owned()),
            (json!({"enabled": false}), set("False")),
            // What is found is not converted: text is not a flag.
            (json!({"enabled": "true"}), set("true")),
            (json!({"enabled": 1}), set("1")),
            (json!({"enabled": null}), set("")),
            (json!({}), missing.to_owned()),
            (json!(null), missing.to_owned()),
            (json!({"userAssignedIdentities": []}), missing.to_owned()),
        ];
        for (profile, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster(&json!("azure"), &profile)), wanted, "{profile}");
        }
        let absent = json!({"properties": {"networkProfile": {"networkPlugin": "azure"}}});
        assert_eq!(outcome(&RULE, CLUSTER, absent), missing);
    }

    #[test]
    fn without_azure_cni_it_neither_passes_nor_fails() {
        for profile in [json!({"enabled": true}), json!({"enabled": false})] {
            for plugin in [json!("kubenet"), json!("none"), json!(""), json!(null), json!(true)] {
                let said = outcome(&RULE, CLUSTER, cluster(&plugin, &profile));
                assert_eq!(said, "None PreconditionFail", "{plugin}");
            }
        }
        let bare = json!({"properties": {"podIdentityProfile": {"enabled": true}}});
        assert_eq!(outcome(&RULE, CLUSTER, bare), "None PreconditionFail");
    }

    #[test]
    fn azure_cni_is_known_in_any_case() {
        for plugin in ["Azure", "AZURE"] {
            let said = outcome(&RULE, CLUSTER, cluster(&json!(plugin), &json!({"enabled": true})));
            assert_eq!(said, "Pass Processed", "{plugin}");
        }
    }
}
