//! Do pods see a secret that was renewed?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule};
use crate::rules::CLUSTER;
use crate::settings::Settings;
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.SecretStoreRotation",
        reference: "AZR-000034",
        level: Level::Error,
        title: "Rotate secrets of the Secrets Store CSI Driver",
        synopsis: "Enable autorotation of Secrets Store CSI Driver secrets for AKS clusters.",
        recommendation: "Switch it on: `az aks addon update --addon azure-keyvault-secrets-provider --enable-secret-rotation`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.SecretStoreRotation/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "DP-7")],
        release: Release::Ga,
        rule_set: "2021_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.SecretStoreRotation.md"),
    },
    applies: |target, _| {
        equals(target, "Properties.addonProfiles.azureKeyvaultSecretsProvider.enabled", true) == Verdict::Pass
    },
    check: |target, _| {
        equals(
            target,
            "Properties.addonProfiles.azureKeyvaultSecretsProvider.config.enableSecretRotation",
            "true",
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
                json!({"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": true, "config": {"enableSecretRotation": "true"}}}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": true, "config": {"enableSecretRotation": "false"}}}}}),
                "Fail Processed Path Properties.addonProfiles.azureKeyvaultSecretsProvider.config.enableSecretRotation: Is set to 'false'.",
            ),
            (
                json!({"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": false}}}}),
                "None PreconditionFail",
            ),
            (json!({}), "None PreconditionFail"),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
