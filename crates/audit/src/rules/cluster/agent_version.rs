//! Is this controller or agent as new as this program?

use podid_core::adopt::Product;

use crate::cluster::{Picture, kind};
use crate::rule::{About, Level, Release, Rule};
use crate::verdict::Verdict;

pub(crate) static RULE: Rule<Picture> = Rule {
    about: About {
        name: "Podid.Agent.Version",
        reference: "POD-000012",
        level: Level::Warning,
        title: "Run one version of podid",
        synopsis: "Controllers and agents should be no older than the podid that audits.",
        recommendation: "Upgrade the installation (`helm upgrade`, or apply the manifests of this version), or audit with the version that is installed.",
        link: "https://github.com/podid/podid/blob/main/docs/reference/rules/Podid.Agent.Version.md",
        tags: &[],
        release: Release::Ga,
        rule_set: "2026_12",
        retired: None,
        types: &[kind::WORKLOAD],
        needs: &[],
        page: include_str!("../../../../../docs/reference/rules/Podid.Agent.Version.md"),
    },
    applies: |target, picture| {
        picture
            .workloads
            .as_ref()
            .and_then(|all| all.get(target.name()))
            .is_some_and(|one| one.product() == Product::Podid && version(&one.image).is_some())
    },
    check: |target, picture| {
        let image = picture.workloads.as_ref().and_then(|all| all.get(target.name())).map(|one| &*one.image);
        let ours = version(concat!(":", env!("CARGO_PKG_VERSION")));
        match image {
            Some(image) if version(image) < ours => Verdict::fail(format!(
                "Its image {image} is older than this podid, {}.",
                env!("CARGO_PKG_VERSION")
            )),
            _ => Verdict::Pass,
        }
    },
};

/// The version that an image's tag says; none for a digest, or for a tag that is no version.
fn version(image: &str) -> Option<[u32; 3]> {
    let (_, tag) = image.rsplit_once(':')?;
    let mut parts = tag.trim_start_matches('v').split(['.', '-', '+']).map(str::parse);
    let mut next = || parts.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::cluster::tests::{Scene, outcome};

    #[test]
    fn an_older_tag_fails_and_what_is_no_version_is_not_asked() {
        let said = |image: &str| {
            let mut picture = Scene::new().agent(true).picture();
            let all = picture.workloads.as_mut().unwrap();
            all.get_mut("DaemonSet podid/nmi").unwrap().image = image.into();
            outcome(&RULE, "DaemonSet podid/nmi", &picture)
        };
        assert!(said("r.example/podid:0.0.9").starts_with("Fail Its image r.example/podid:0.0.9 is older"));
        assert_eq!(said(&format!("r.example/podid:v{}", env!("CARGO_PKG_VERSION"))), "Pass");
        assert_eq!(said("r.example/podid:99.0.0"), "Pass");
        for none in ["r.example:5000/podid", "r.example/podid@sha256:0123", "r.example/podid:latest"] {
            assert_eq!(said(none), "None", "{none}");
        }
    }
}
