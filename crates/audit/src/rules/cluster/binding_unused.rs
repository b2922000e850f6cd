//! Does this binding reach any pod?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Binding.Unused",
        reference: "POD-000003",
        level: Level::Warning,
        title: "Remove bindings that reach no pod",
        synopsis: "The selector of an AzureIdentityBinding should match the label of a pod.",
        recommendation: "Label the pods with `aadpodidbinding: SELECTOR`, or remove the binding: until then whoever may create pods can take its identity.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Binding.Unused.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::BINDING],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Binding.Unused.md"),
    },
    applies: |_, picture| picture.pods.is_some(),
    check: |target, picture| {
        let Some(binding) = picture.binding(target) else { return Verdict::Pass };
        if picture.live_pods().any(|pod| picture.reaches(binding, pod)) {
            return Verdict::Pass;
        }
        let elsewhere = picture.live_pods().find(|pod| pod.fact.selector() == Some(&*binding.selector));
        let more = elsewhere.map_or(String::new(), |pod| {
            format!(" Pod {} does, and identities serve their own namespace only.", pod.fact.id)
        });
        Verdict::fail_at(
            "spec.selector",
            format!("No pod that it reaches carries the label aadpodidbinding={}.{more}", binding.selector),
        )
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_pod_with_the_label_in_reach_is_enough() {
        let scene = || Scene::new().agent(true).identity("shop", "id").binding("shop", "b", "id", "web");
        assert_eq!(outcome(&RULE, "shop/b", &scene().pod("shop", "p", "web").picture()), "Pass");
        let none = outcome(&RULE, "shop/b", &scene().pod("shop", "p", "Web").picture());
        assert!(none.ends_with("carries the label aadpodidbinding=web."), "{none}");
        let elsewhere = outcome(&RULE, "shop/b", &scene().pod("bank", "p", "web").picture());
        assert!(elsewhere.contains("Pod bank/p does"), "{elsewhere}");
    }

    #[test]
    fn with_cluster_wide_matching_any_namespace_counts() {
        let scene = Scene::new().agent(false).identity("shop", "id").binding("shop", "b", "id", "web");
        assert_eq!(outcome(&RULE, "shop/b", &scene.pod("bank", "p", "web").picture()), "Pass");
    }
}
