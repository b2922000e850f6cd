//! Can this pod take a neighbour's address?

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Pod.NetRaw",
        reference: "POD-000008",
        level: Level::Warning,
        title: "Take NET_RAW from pods on a bridge",
        synopsis: "Pods that share a bridge should have neither NET_RAW nor NET_ADMIN, and should not be privileged.",
        recommendation: "Write `securityContext: {capabilities: {drop: [ALL]}}` in each container; `podid policy net-raw --for vap` prints policies that see to it.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Pod.NetRaw.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::POD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Pod.NetRaw.md"),
    },
    applies: |target, picture| {
        !picture.routed
            && picture.pod(target).is_some_and(|pod| {
                let fact = &pod.fact;
                fact.is_live() && !fact.host_network && !pod.windows && !picture.is_system(pod)
            })
    },
    check: |target, picture| {
        let Some(pod) = picture.pod(target) else { return Verdict::Pass };
        if pod.raw.is_empty() {
            return Verdict::Pass;
        }
        let names: Vec<&str> = pod.raw.iter().map(|name| &**name).collect();
        Verdict::fail(format!(
            "These containers may write raw packets or configure their link: {}.",
            names.join(", ")
        ))
    },
};

#[cfg(test)]
mod tests {
    use podid_kube::census::Pod;

    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_container_that_may_write_raw_packets_is_named() {
        let scene = || Scene::new().pod("shop", "p", "web");
        assert_eq!(outcome(&RULE, "shop/p", &scene().picture()), "Pass");
        let said = outcome(&RULE, "shop/p", &scene().last_pod(|pod| pod.raw = vec!["main".into()]).picture());
        assert_eq!(said, "Fail These containers may write raw packets or configure their link: main.");
    }

    #[test]
    fn where_it_does_not_matter_it_is_not_asked() {
        let raw = |pod: &mut Pod| pod.raw = vec!["main".into()];
        let mut routed = Scene::new().pod("shop", "p", "web").last_pod(raw).picture();
        routed.routed = true;
        assert_eq!(outcome(&RULE, "shop/p", &routed), "None");
        let system = Scene::new().pod("kube-system", "p", "").last_pod(raw).picture();
        assert_eq!(outcome(&RULE, "kube-system/p", &system), "None");
        let host =
            Scene::new().pod("shop", "p", "").last_pod(raw).last_pod(|pod| pod.fact.host_network = true);
        assert_eq!(outcome(&RULE, "shop/p", &host.picture()), "None");
    }
}
