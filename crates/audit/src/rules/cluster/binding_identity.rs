//! Is there the identity that this binding names?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Binding.Identity",
        reference: "POD-000002",
        level: Level::Error,
        title: "Bind identities that exist",
        synopsis: "An AzureIdentityBinding should name an AzureIdentity of its own namespace.",
        recommendation: "Create the identity in the namespace of the binding, or correct `spec.azureIdentity`.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Binding.Identity.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::BINDING],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Binding.Identity.md"),
    },
    applies: |_, picture| picture.identities.is_some(),
    check: |target, picture| {
        let Some(binding) = picture.binding(target) else { return Verdict::Pass };
        let wanted = binding.identity_id();
        let there = picture.identities.iter().any(|all| all.contains_key(&wanted.to_string()));
        if there {
            return Verdict::Pass;
        }
        Verdict::fail_at("spec.azureIdentity", format!("There is no AzureIdentity {wanted}."))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn the_identity_has_to_be_in_the_binding_s_namespace() {
        let there = Scene::new().identity("shop", "id").binding("shop", "b", "id", "web").picture();
        assert_eq!(outcome(&RULE, "shop/b", &there), "Pass");
        let elsewhere = Scene::new().identity("bank", "id").binding("shop", "b", "id", "web").picture();
        let said = outcome(&RULE, "shop/b", &elsewhere);
        assert_eq!(said, "Fail Path spec.azureIdentity: There is no AzureIdentity shop/id.");
    }
}
