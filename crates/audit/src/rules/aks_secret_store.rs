//! Can pods take secrets from Key Vault?

use crate::expect::equals;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.SecretStore",
        reference: "AZR-000033",
        level: Level::Error,
        title: "Use Secrets Store CSI Driver",
        synopsis: "Deploy AKS clusters with Secrets Store CSI Driver and store Secrets in Key Vault.",
        recommendation: "Switch it on: `az aks enable-addons --addons azure-keyvault-secrets-provider`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.SecretStore/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-8")],
        release: Release::Ga,
        rule_set: "2021_12",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.SecretStore.md"),
    },
    applies: always,
    check: |target, _| equals(target, "Properties.addonProfiles.azureKeyvaultSecretsProvider.enabled", true),
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
                json!({"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": true}}}}),
                "Pass Processed",
            ),
            (
                json!({"properties": {"addonProfiles": {"azureKeyvaultSecretsProvider": {"enabled": false}}}}),
                "Fail Processed Path Properties.addonProfiles.azureKeyvaultSecretsProvider.enabled: Is set to 'False'.",
            ),
        ];
        for (cluster, wanted) in cases {
            assert_eq!(outcome(&RULE, CLUSTER, cluster.clone()), wanted, "{cluster}");
        }
    }
}
