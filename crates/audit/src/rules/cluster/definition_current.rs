//! Is this definition of a custom resource podid's own, and current?

use podid_kube::census::DefinitionState;

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Definition.Current",
        reference: "POD-000011",
        level: Level::Warning,
        title: "Keep the definitions up to date",
        synopsis: "The definitions of the custom resources should be those of this podid.",
        recommendation: "Run `podid crds diff`, then `podid crds apply`: Helm installs definitions and never upgrades them.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Definition.Current.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::DEFINITION],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Definition.Current.md"),
    },
    applies: |_, picture| picture.has_podid(),
    check: |target, picture| {
        let state = picture.definitions.as_ref().and_then(|all| all.get(target.name())).map(|one| one.state);
        let optional = target.name().starts_with("azureassignedidentities.");
        match state {
            Some(DefinitionState::Missing) if !optional => Verdict::fail("It is not defined."),
            Some(DefinitionState::Older) => Verdict::fail("It is that of an earlier podid."),
            Some(DefinitionState::Foreign) => Verdict::fail(
                "It was not written by podid: rules on single fields are missing, as in aad-pod-identity's.",
            ),
            Some(DefinitionState::Missing | DefinitionState::Current) | None => Verdict::Pass,
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn only_a_current_definition_passes_and_managed_mode_needs_no_assignments() {
        let said = |name: &str, state| {
            outcome(&RULE, name, &Scene::new().agent(true).definition(name, state).picture())
        };
        let (identities, records) =
            ("azureidentities.aadpodidentity.k8s.io", "azureassignedidentities.aadpodidentity.k8s.io");
        assert_eq!(said(identities, DefinitionState::Current), "Pass");
        for bad in [DefinitionState::Older, DefinitionState::Foreign, DefinitionState::Missing] {
            assert!(said(identities, bad).starts_with("Fail"), "{bad:?}");
        }
        assert_eq!(said(records, DefinitionState::Missing), "Pass");
        assert!(said(records, DefinitionState::Older).starts_with("Fail"));
        let alone = Scene::new().definition(identities, DefinitionState::Foreign).picture();
        assert_eq!(outcome(&RULE, identities, &alone), "None");
    }
}
