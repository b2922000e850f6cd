//! Does this exception except more than it should?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::{Finding, Verdict};

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Exception.Broad",
        reference: "POD-000007",
        level: Level::Warning,
        title: "Except no more pods than necessary",
        synopsis: "An AzurePodIdentityException should cover neither all pods of a namespace nor pods that are bound to an identity.",
        recommendation: "Use a label that only the pods in question carry. Any one of the labels in `spec.podLabels` is enough to except a pod, so write one exception with one label.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Exception.Broad.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::EXCEPTION],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Exception.Broad.md"),
    },
    applies: |_, picture| picture.pods.is_some(),
    check: |target, picture| {
        let Some(exception) = picture.exception(target) else { return Verdict::Pass };
        let home = &exception.id.namespace;
        let pods: Vec<_> = picture
            .live_pods()
            .filter(|pod| pod.fact.id.namespace == *home && !pod.fact.host_network)
            .collect();
        let covered: Vec<_> = pods.iter().filter(|pod| exception.covers(&pod.fact)).collect();
        let mut findings = Vec::new();
        if covered.len() == pods.len() && covered.len() > 1 {
            let text = format!("It excepts all {} pods of namespace {home}.", covered.len());
            findings.push(Finding::at("spec.podLabels", text));
        }
        let bound = covered.iter().find(|pod| pod.fact.selector().is_some());
        findings.extend(bound.map(|pod| {
            let text = format!(
                "It excepts pod {}, which has the label aadpodidbinding and so wants an identity of its own.",
                pod.fact.id
            );
            Finding::at("spec.podLabels", text)
        }));
        Verdict::of(findings)
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn all_pods_of_a_namespace_and_bound_pods_are_too_much() {
        let scene = || {
            let scene = Scene::new().exception("shop", "e", "app", "web");
            scene.labelled("shop", "a", &[("app", "WEB")]).labelled("bank", "c", &[("app", "x")])
        };
        let one = scene().labelled("shop", "b", &[("app", "x")]).picture();
        assert_eq!(outcome(&RULE, "shop/e", &one), "Pass");
        let all = scene().labelled("shop", "b", &[("app", "web")]).picture();
        assert!(outcome(&RULE, "shop/e", &all).contains("excepts all 2 pods of namespace shop"));
        let bound = scene().labelled("shop", "b", &[("app", "web"), ("aadpodidbinding", "s")]);
        let bound = bound.labelled("shop", "d", &[]).picture();
        let said = outcome(&RULE, "shop/e", &bound);
        assert!(said.contains("excepts pod shop/b") && !said.contains("all"), "{said}");
    }

    #[test]
    fn one_pod_alone_in_its_namespace_is_what_exceptions_are_for() {
        let scene =
            Scene::new().exception("shop", "e", "app", "web").labelled("shop", "a", &[("app", "web")]);
        assert_eq!(outcome(&RULE, "shop/e", &scene.picture()), "Pass");
    }
}
