//! Does the cluster use managed identities, and no service principal, for its own infrastructure?

use crate::expect::within;
use crate::rule::{About, Level, Release, Rule, always};
use crate::rules::CLUSTER;
use crate::settings::Settings;

pub(crate) static RULE: Rule<Settings> = Rule {
    about: About {
        name: "Azure.AKS.ManagedIdentity",
        reference: "AZR-000025",
        level: Level::Error,
        title: "Use managed identities for AKS cluster authentication",
        synopsis: "Configure AKS clusters to use managed identities for managing cluster infrastructure.",
        recommendation: "Create the cluster with a managed identity, or move it to one with \
                         `az aks update --enable-managed-identity`.",
        link: "https://azure.github.io/PSRule.Rules.Azure/en/rules/Azure.AKS.ManagedIdentity/",
        tags: &[("Azure.WAF/pillar", "Security"), ("Azure.MCSB.v1/control", "IM-1, IM-2")],
        release: Release::Ga,
        rule_set: "2020_06",
        retired: None,
        types: &[CLUSTER],
        needs: &[],
        page: include_str!("../../../../docs/reference/rules/Azure.AKS.ManagedIdentity.md"),
    },
    applies: always,
    check: |target, _| within(target, "Identity.Type", &["SystemAssigned", "UserAssigned"]),
};

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rules::tests::outcome;

    fn identity(identity: &Value) -> String {
        outcome(&RULE, CLUSTER, json!({ "identity": identity }))
    }

    #[test]
    fn either_kind_of_managed_identity_passes_in_any_case() {
        for kind in ["SystemAssigned", "UserAssigned", "systemassigned", "USERASSIGNED"] {
            assert_eq!(identity(&json!({ "type": kind })), "Pass Processed", "{kind}");
        }
    }

    #[test]
    fn anything_else_fails_and_says_what_it_is() {
        let not_in = |kind| {
            format!(
                "Fail Processed Path Identity.Type: The value '{kind}' was not in 'SystemAssigned', 'UserAssigned'."
            )
        };
        // AKS does not offer the combined form.
        for kind in ["None", "", "SystemAssigned, UserAssigned", "SystemAssigned,UserAssigned"] {
            assert_eq!(identity(&json!({ "type": kind })), not_in(kind));
        }
        assert_eq!(identity(&json!({ "type": null })), not_in(""));
    }

    #[test]
    fn a_cluster_of_a_service_principal_fails_because_it_has_no_identity() {
        let missing = "Fail Processed Path Identity.Type: The field 'Identity.Type' does not exist.";
        assert_eq!(identity(&json!({})), missing);
        let principal = json!({"properties": {"servicePrincipalProfile": {"clientId": "1"}}});
        assert_eq!(outcome(&RULE, CLUSTER, principal), missing);
        assert_eq!(outcome(&RULE, CLUSTER, json!({})), missing);
    }

    #[test]
    fn only_clusters_are_asked_whatever_the_case_of_their_type() {
        let cluster = json!({"identity": {"type": "SystemAssigned"}});
        assert_eq!(
            outcome(&RULE, "microsoft.containerservice/MANAGEDCLUSTERS", cluster.clone()),
            "Pass Processed"
        );
        for kind in ["Microsoft.ContainerService/managedClusters/agentPools", "Microsoft.Compute/disks", ""] {
            assert_eq!(outcome(&RULE, kind, cluster.clone()), "None PreconditionFail", "{kind}");
        }
    }
}
