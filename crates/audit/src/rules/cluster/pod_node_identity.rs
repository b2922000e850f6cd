//! Does this pod use its node's own identities?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Pod.NodeIdentity",
        reference: "POD-000013",
        level: Level::Warning,
        title: "Give pods an identity of their own",
        synopsis: "Pods should not be excepted: they use the node's own identities then.",
        recommendation: "Give the pod an identity and a binding, and remove the exception that covers it. Add-ons of AKS need theirs: suppress the rule for them.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Pod.NodeIdentity.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::POD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Pod.NodeIdentity.md"),
    },
    applies: |target, picture| {
        picture.exceptions.is_some()
            && picture
                .pod(target)
                .is_some_and(|pod| pod.fact.is_live() && !pod.fact.host_network && !picture.is_system(pod))
    },
    check: |target, picture| {
        let Some(pod) = picture.pod(target) else { return Verdict::Pass };
        match picture.all_exceptions().find(|exception| exception.covers(&pod.fact)) {
            Some(exception) => Verdict::fail(format!(
                "AzurePodIdentityException {} covers it: it can get a token for every identity of its node.",
                exception.id
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
    fn an_exception_that_covers_it_fails() {
        let scene =
            || Scene::new().exception("shop", "e", "app", "web").labelled("shop", "p", &[("app", "web")]);
        let said = outcome(&RULE, "shop/p", &scene().picture());
        assert!(said.starts_with("Fail AzurePodIdentityException shop/e covers it"), "{said}");
        let other = scene().labelled("bank", "q", &[("app", "web")]).picture();
        assert_eq!(outcome(&RULE, "bank/q", &other), "Pass");
    }
}
