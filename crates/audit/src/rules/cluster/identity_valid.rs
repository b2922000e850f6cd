//! Can podid make anything of this identity?

use podid_core::facts::InvalidIdentity;

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule, always};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Identity.Valid",
        reference: "POD-000006",
        level: Level::Error,
        title: "Write identities that can be used",
        synopsis: "An AzureIdentity should have a well-formed resource id and client id, and what its type needs.",
        recommendation: "Correct the field: `az identity show --query id` and `--query clientId` print those of a managed identity. The policy `podid-identity-fields` refuses such objects when they are written.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Identity.Valid.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::IDENTITY],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Identity.Valid.md"),
    },
    applies: always,
    check: |target, picture| {
        let Some(identity) = picture.identity(target) else { return Verdict::Pass };
        match &identity.fact.kind {
            // The rule on Secrets says it.
            Ok(_) | Err(InvalidIdentity::SecretElsewhere(_)) => Verdict::Pass,
            Err(problem) => Verdict::fail(format!("It cannot be used: {problem}.")),
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn what_podid_cannot_read_fails_with_its_words() {
        assert_eq!(outcome(&RULE, "shop/id", &Scene::new().identity("shop", "id").picture()), "Pass");
        let scene = Scene::new().broken("shop", "id", InvalidIdentity::Type(9)).picture();
        assert!(outcome(&RULE, "shop/id", &scene).starts_with("Fail It cannot be used: type 9 is unknown"));
        let elsewhere = InvalidIdentity::SecretElsewhere("vault".into());
        assert_eq!(
            outcome(&RULE, "shop/id", &Scene::new().broken("shop", "id", elsewhere).picture()),
            "Pass"
        );
    }
}
