//! What does the server tell about itself?

use serde_json::{Value, json};

use super::super::catalogue::{Catalogue, Kind};
use super::super::resource::PODS;

const REVIEWS: &str = "authorization.k8s.io";

/// `/version`: the release whose behaviour is followed.
pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0+podid-lab", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": format!("linux/{}", std::env::consts::ARCH),
    })
}

/// `/api`.
pub(super) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`.
pub(super) fn groups(catalogue: &Catalogue) -> Value {
    let named = catalogue.group_versions().into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Value> =
        named.chain([(REVIEWS, "v1")]).map(|(group, version)| describe(group, version)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(super) fn group(catalogue: &Catalogue, group: &str) -> Option<Value> {
    let mut versions = catalogue.group_versions().into_iter().chain([(REVIEWS, "v1")]);
    let (group, version) = versions.find(|(name, _)| *name == group && !name.is_empty())?;
    let mut object = describe(group, version);
    object["kind"] = "APIGroup".into();
    object["apiVersion"] = "v1".into();
    Some(object)
}

/// The kinds of one group and version, with the parts of their objects.
pub(super) fn kinds(catalogue: &Catalogue, group: &str, version: &str) -> Option<Value> {
    let resources: Vec<Value> = if (group, version) == (REVIEWS, "v1") {
        vec![json!({
            "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": false,
            "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        })]
    } else {
        catalogue.members(group, version).flat_map(resources).collect()
    };
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty()).then(
        || json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}),
    )
}

fn describe(group: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({"name": group, "versions": [version], "preferredVersion": version})
}

fn resources(kind: &Kind) -> Vec<Value> {
    let plural = kind.resource.plural();
    let mut resource = json!({
        "name": plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.name,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.clone().into();
    }
    if kind.resource == PODS {
        resource["categories"] = json!(["all"]);
    }
    let part = |name: &str, verbs: &[&str]| {
        json!({
            "name": format!("{plural}/{name}"), "singularName": "", "namespaced": kind.namespaced,
            "kind": kind.name, "verbs": verbs,
        })
    };
    let status = kind.has_status().then(|| part("status", &["get", "patch", "update"]));
    let log = (kind.resource == PODS).then(|| part("log", &["get"]));
    let binding = (kind.resource == PODS).then(|| {
        let mut part = part("binding", &["create"]);
        part["kind"] = "Binding".into();
        part
    });
    [Some(resource), binding, log, status].into_iter().flatten().collect()
}
