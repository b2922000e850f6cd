//! Is the Secret of this service principal there, in the right namespace?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Identity.Secret",
        reference: "POD-000005",
        level: Level::Error,
        title: "Keep the Secret beside its identity",
        synopsis: "The Secret of a service principal should exist in the namespace of its AzureIdentity.",
        recommendation: "Create or move the Secret into the namespace of the identity and leave `spec.clientPassword.namespace` out: podid reads it nowhere else.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Identity.Secret.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::IDENTITY],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Identity.Secret.md"),
    },
    applies: |target, picture| picture.identity(target).is_some_and(|identity| identity.type_ != 0),
    check: |target, picture| {
        let Some(identity) = picture.identity(target) else { return Verdict::Pass };
        let Some(secret) = &identity.secret else {
            return Verdict::fail_at("spec.clientPassword.name", "It names no Secret.");
        };
        let home = &identity.fact.id.namespace;
        if secret.namespace != *home {
            let text = format!("The Secret {secret} is in another namespace than the identity, {home}.");
            return Verdict::fail_at("spec.clientPassword.namespace", text);
        }
        match picture.secrets.get(secret) {
            Some(None) => {
                Verdict::fail_at("spec.clientPassword.name", format!("There is no Secret {secret}."))
            }
            // Who may not read Secrets does not know; the look says so.
            Some(Some(_)) | None => Verdict::Pass,
        }
    },
};

#[cfg(test)]
mod tests {
    use podid_core::ids::ObjectRef;

    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn the_secret_has_to_be_beside_the_identity_and_exist() {
        let scene = |secret: &str, there: bool| {
            let secret = ObjectRef::new(secret, "credential");
            let scene = Scene::new().principal("shop", "id", Some(secret.clone()));
            scene.secret(secret, there).picture()
        };
        assert_eq!(outcome(&RULE, "shop/id", &scene("shop", true)), "Pass");
        assert!(
            outcome(&RULE, "shop/id", &scene("shop", false)).contains("There is no Secret shop/credential")
        );
        assert!(outcome(&RULE, "shop/id", &scene("vault", true)).contains("in another namespace"));
        let nameless = Scene::new().principal("shop", "id", None).picture();
        assert!(outcome(&RULE, "shop/id", &nameless).contains("names no Secret"));
    }

    #[test]
    fn managed_identities_have_none() {
        assert_eq!(outcome(&RULE, "shop/id", &Scene::new().identity("shop", "id").picture()), "None");
    }
}
