//! May these people give themselves any identity?

use podid_kube::census::Written;

use super::access::written;
use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule, always};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Access.Grants",
        reference: "POD-000014",
        level: Level::Warning,
        title: "Let few people write identities and bindings",
        synopsis: "Only cluster administrators should be able to write AzureIdentity and AzureIdentityBinding objects, unless a policy asks for the right to use what is granted.",
        recommendation: "Apply `podid policy bindings`, by which authors need the right to use an identity (`docs/how-to/who-may-grant.md`), or take the right away.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Access.Grants.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::SUBJECT],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Access.Grants.md"),
    },
    applies: always,
    check: |target, picture| {
        let guarded = ["identity-users", "binding-users"]
            .iter()
            .all(|name| picture.enforced.iter().any(|policy| policy.ends_with(name)));
        if guarded {
            return Verdict::Pass;
        }
        let kinds = [(Written::Identities, "AzureIdentity"), (Written::Bindings, "AzureIdentityBinding")];
        Verdict::of(written(picture, target, &kinds))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn whoever_may_write_them_is_told_with_role_and_place_unless_policies_ask_for_more() {
        let mut picture = Scene::new().grant("User ann", Some("shop"), &[Written::Bindings], false).picture();
        let said = outcome(&RULE, "User ann", &picture);
        assert_eq!(said, "Fail May write AzureIdentityBinding in namespace shop, by Role r.");
        picture.enforced.insert("podid-identity-users".into());
        assert!(outcome(&RULE, "User ann", &picture).starts_with("Fail"));
        picture.enforced.insert("podid-binding-users".into());
        assert_eq!(outcome(&RULE, "User ann", &picture), "Pass");
    }

    #[test]
    fn administrators_and_the_writers_of_exceptions_are_not_meant() {
        let all = [Written::Identities, Written::Bindings, Written::Exceptions];
        let admin = Scene::new().grant("Group admins", None, &all, true).picture();
        assert_eq!(outcome(&RULE, "Group admins", &admin), "Pass");
        let other = Scene::new().grant("User ann", None, &[Written::Exceptions], false).picture();
        assert_eq!(outcome(&RULE, "User ann", &other), "Pass");
    }
}
