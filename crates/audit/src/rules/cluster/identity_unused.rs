//! Does anybody use this identity?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Identity.Unused",
        reference: "POD-000001",
        level: Level::Warning,
        title: "Remove identities that nobody uses",
        synopsis: "An AzureIdentity should be named by a binding of its namespace.",
        recommendation: "Remove the identity with `kubectl delete azureidentity`, or bind it: an identity that nobody needs can only be misused.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Identity.Unused.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::IDENTITY],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Identity.Unused.md"),
    },
    applies: |_, picture| picture.bindings.is_some(),
    check: |target, picture| {
        let Some(identity) = picture.identity(target) else { return Verdict::Pass };
        let id = &identity.fact.id;
        if picture.all_bindings().any(|binding| binding.identity_id() == *id) {
            return Verdict::Pass;
        }
        Verdict::fail(format!("No AzureIdentityBinding of namespace {} names it.", id.namespace))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_binding_of_its_own_namespace_uses_it_and_no_other_does() {
        let alone = Scene::new().identity("shop", "id").picture();
        assert_eq!(
            outcome(&RULE, "shop/id", &alone),
            "Fail No AzureIdentityBinding of namespace shop names it."
        );
        let bound = Scene::new().identity("shop", "id").binding("shop", "b", "id", "web").picture();
        assert_eq!(outcome(&RULE, "shop/id", &bound), "Pass");
        let elsewhere = Scene::new().identity("shop", "id").binding("bank", "b", "id", "web").picture();
        assert!(outcome(&RULE, "shop/id", &elsewhere).starts_with("Fail"));
    }

    #[test]
    fn without_a_look_at_bindings_it_says_nothing() {
        let mut picture = Scene::new().identity("shop", "id").picture();
        picture.bindings = None;
        assert_eq!(outcome(&RULE, "shop/id", &picture), "None");
    }
}
