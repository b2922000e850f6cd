//! May these people let pods use the node's identities?

use podid_kube::census::Written;

use super::access::written;
use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule, always};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Access.Exceptions",
        reference: "POD-000015",
        level: Level::Warning,
        title: "Let few people write exceptions",
        synopsis: "Only cluster administrators should be able to write AzurePodIdentityException objects, unless a policy asks for the right to use every identity.",
        recommendation: "Take the right away, or apply `podid policy bindings`. The chart's role for editing leaves exceptions out.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Access.Exceptions.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::SUBJECT],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Access.Exceptions.md"),
    },
    applies: always,
    check: |target, picture| {
        if picture.enforced.iter().any(|policy| policy.ends_with("exception-users")) {
            return Verdict::Pass;
        }
        Verdict::of(written(picture, target, &[(Written::Exceptions, "AzurePodIdentityException")]))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn whoever_may_write_them_is_told_unless_a_policy_asks_for_more() {
        let mut picture = Scene::new().grant("User ann", None, &[Written::Exceptions], false).picture();
        let said = outcome(&RULE, "User ann", &picture);
        assert_eq!(said, "Fail May write AzurePodIdentityException in every namespace, by ClusterRole r.");
        picture.enforced.insert("my-exception-users".into());
        assert_eq!(outcome(&RULE, "User ann", &picture), "Pass");
        let other = Scene::new().grant("User ann", None, &[Written::Bindings], false).picture();
        assert_eq!(outcome(&RULE, "User ann", &other), "Pass");
    }
}
