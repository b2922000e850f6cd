//! Do bindings of several namespaces share this selector while matching is cluster-wide?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Binding.SharedSelector",
        reference: "POD-000004",
        level: Level::Error,
        title: "Keep selectors apart while matching is cluster-wide",
        synopsis: "While matching is cluster-wide, a selector should be used in one namespace only.",
        recommendation: "Match within namespaces (chart value `forceNamespaced=true`, flag `--forceNamespaced` of MIC and NMI), or rename the selectors.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Binding.SharedSelector.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::BINDING],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Binding.SharedSelector.md"),
    },
    applies: |_, picture| picture.workloads.is_some() && picture.is_cluster_wide(),
    check: |target, picture| {
        let Some(binding) = picture.binding(target) else { return Verdict::Pass };
        let others: Vec<String> = picture
            .all_bindings()
            .filter(|other| other.selector == binding.selector && other.id.namespace != binding.id.namespace)
            .map(|other| other.id.to_string())
            .collect();
        if others.is_empty() {
            return Verdict::Pass;
        }
        Verdict::fail_at(
            "spec.selector",
            format!(
                "The selector {} is used by {}, too, so pods of each namespace get the identities of all.",
                binding.selector,
                others.join(", ")
            ),
        )
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn it_fails_for_both_while_matching_is_cluster_wide_and_is_not_asked_else() {
        let scene = |namespaced| {
            let scene = Scene::new().agent(namespaced).binding("shop", "b", "id", "web");
            scene.binding("bank", "c", "id", "web").binding("bank", "d", "id", "other").picture()
        };
        assert!(outcome(&RULE, "shop/b", &scene(false)).contains("used by bank/c, too"));
        assert!(outcome(&RULE, "bank/c", &scene(false)).contains("used by shop/b, too"));
        assert_eq!(outcome(&RULE, "bank/d", &scene(false)), "Pass");
        assert_eq!(outcome(&RULE, "shop/b", &scene(true)), "None");
    }

    #[test]
    fn two_bindings_of_one_namespace_may_share_it() {
        let scene = Scene::new().agent(false).binding("shop", "b", "id", "web");
        assert_eq!(outcome(&RULE, "shop/b", &scene.binding("shop", "c", "id", "web").picture()), "Pass");
    }
}
