//! Could this pod move to workload identity already?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Pod.WorkloadIdentity",
        reference: "POD-000017",
        level: Level::Information,
        title: "Move pods to workload identity",
        synopsis: "A pod that is set up for workload identity should not be bound to an identity by podid as well.",
        recommendation: "The pod has the label `azure.workload.identity/use: \"true\"`, so its SDK takes the federated token: remove the label `aadpodidbinding`, and the binding when no other pod needs it.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Pod.WorkloadIdentity.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::POD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Pod.WorkloadIdentity.md"),
    },
    applies: |target, picture| {
        picture.bindings.is_some()
            && picture.pod(target).is_some_and(|pod| pod.fact.is_live() && pod.federated)
    },
    check: |target, picture| {
        let Some(pod) = picture.pod(target) else { return Verdict::Pass };
        match picture.all_bindings().find(|binding| picture.reaches(binding, pod)) {
            Some(binding) => Verdict::fail(format!(
                "It uses workload identity and is bound by AzureIdentityBinding {}, too.",
                binding.id
            )),
            None => Verdict::Pass,
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_pod_with_both_is_told_and_one_with_one_is_not() {
        let scene = || Scene::new().agent(true).pod("shop", "p", "web").last_pod(|pod| pod.federated = true);
        let both = scene().binding("shop", "b", "id", "web").picture();
        let said = outcome(&RULE, "shop/p", &both);
        assert_eq!(said, "Fail It uses workload identity and is bound by AzureIdentityBinding shop/b, too.");
        assert_eq!(outcome(&RULE, "shop/p", &scene().binding("shop", "b", "id", "x").picture()), "Pass");
        let plain =
            Scene::new().agent(true).pod("shop", "p", "web").binding("shop", "b", "id", "web").picture();
        assert_eq!(outcome(&RULE, "shop/p", &plain), "None");
    }
}
