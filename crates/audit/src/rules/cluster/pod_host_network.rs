//! Does this pod bypass podid by its node's network?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Pod.HostNetwork",
        reference: "POD-000009",
        level: Level::Warning,
        title: "Keep pods off the host's network",
        synopsis: "Pods should not be on the host's network, where they use the node's own identities.",
        recommendation: "Leave `spec.hostNetwork` out. Where the program needs it, suppress the rule for this pod, and treat it as able to use every identity of its node.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Pod.HostNetwork.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::POD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Pod.HostNetwork.md"),
    },
    applies: |target, picture| {
        picture.pod(target).is_some_and(|pod| pod.fact.is_live() && !picture.is_system(pod))
    },
    check: |target, picture| match picture.pod(target) {
        Some(pod) if pod.fact.host_network => Verdict::fail_at(
            "spec.hostNetwork",
            "It is on the host's network: podid does not see its requests, and it can use every identity of its node.",
        ),
        _ => Verdict::Pass,
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn only_other_people_s_pods_on_the_host_s_network_fail() {
        let host = |namespace: &str| {
            let scene = Scene::new().pod(namespace, "p", "").last_pod(|pod| pod.fact.host_network = true);
            outcome(&RULE, &format!("{namespace}/p"), &scene.picture())
        };
        assert!(host("shop").starts_with("Fail Path spec.hostNetwork"));
        assert_eq!(host("kube-system"), "None");
        assert_eq!(outcome(&RULE, "shop/p", &Scene::new().pod("shop", "p", "").picture()), "Pass");
        let agent = Scene::new().agent(true).runs_agent("node-1", true).picture();
        assert_eq!(outcome(&RULE, "podid/nmi-node-1", &agent), "None");
    }
}
