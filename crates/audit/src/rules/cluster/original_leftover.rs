//! Is this left over from aad-pod-identity?

use podid_core::adopt::Product;

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule, always};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Original.Leftover",
        reference: "POD-000016",
        level: Level::Warning,
        title: "Remove what aad-pod-identity left",
        synopsis: "No controller or agent of aad-pod-identity should run: it was archived in 2023.",
        recommendation: "`podid adopt check` lists what would change, and `docs/how-to/adopt.md` how to take the cluster over step by step.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Original.Leftover.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::WORKLOAD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Original.Leftover.md"),
    },
    applies: always,
    check: |target, picture| {
        let workload = picture.workloads.as_ref().and_then(|all| all.get(target.name()));
        match workload {
            Some(workload) if workload.product() == Product::Original => {
                let beside = if picture.has_podid() { " beside podid's" } else { "" };
                Verdict::fail(format!(
                    "It is of aad-pod-identity and runs{beside}: image {}.",
                    workload.image
                ))
            }
            _ => Verdict::Pass,
        }
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn a_workload_of_the_original_fails_and_one_of_podid_passes() {
        let old = Scene::new().original().picture();
        let said = outcome(&RULE, "DaemonSet default/nmi", &old);
        assert!(said.starts_with("Fail It is of aad-pod-identity and runs: image"), "{said}");
        let both = Scene::new().original().agent(true).picture();
        assert!(outcome(&RULE, "DaemonSet default/nmi", &both).contains("beside podid's"));
        assert_eq!(outcome(&RULE, "DaemonSet podid/nmi", &both), "Pass");
    }
}
