//! What does a path name?

use percent_encoding::percent_decode_str;

use super::super::catalogue::{Catalogue, Kind};
use super::super::resource::NAMESPACES;
use super::fault::Fault;

/// What a request is about.
#[derive(Debug)]
pub(super) enum Route<'a> {
    Health,
    Version,
    /// `/api`: the versions of the core group.
    CoreVersions,
    /// `/apis`: all other groups.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// The kinds of one group and version.
    Kinds(String, String),
    /// `/openapi/v3`: which documents there are.
    Documents,
    /// The document of one group and version.
    Document(String, String),
    /// "May I?"
    AccessReview,
    /// What tests want to go wrong.
    Fault(Fault),
    Objects(Target<'a>),
}

/// One object, or a collection, or a part of one object.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) kind: &'a Kind,
    /// Empty for cluster-scoped kinds and for collections across all namespaces.
    pub(super) namespace: String,
    pub(super) name: Option<String>,
    pub(super) part: Option<String>,
}

/// Reads a path; `None` if nothing is served there.
pub(super) fn parse<'a>(catalogue: &'a Catalogue, path: &str) -> Option<Route<'a>> {
    let decoded =
        path.split('/').filter(|part| !part.is_empty()).map(|part| percent_decode_str(part).decode_utf8());
    let parts: Vec<String> = decoded.map(|part| part.map(Into::into)).collect::<Result<_, _>>().ok()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        ["healthz" | "livez" | "readyz"] => Some(Route::Health),
        ["version"] => Some(Route::Version),
        ["api"] => Some(Route::CoreVersions),
        ["apis"] => Some(Route::Groups),
        ["apis", group] => Some(Route::Group(group.into())),
        ["api", version] => Some(Route::Kinds(String::new(), version.into())),
        ["apis", group, version] => Some(Route::Kinds(group.into(), version.into())),
        ["openapi", "v3"] => Some(Route::Documents),
        ["openapi", "v3", "api", version] => Some(Route::Document(String::new(), version.into())),
        ["openapi", "v3", "apis", group, version] => Some(Route::Document(group.into(), version.into())),
        ["podid.dev", fault] => Fault::named(fault).map(Route::Fault),
        ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] => Some(Route::AccessReview),
        ["api", version, ref rest @ ..] => target(catalogue, "", version, rest).map(Route::Objects),
        ["apis", group, version, ref rest @ ..] => {
            target(catalogue, group, version, rest).map(Route::Objects)
        }
        _ => None,
    }
}

fn target<'a>(catalogue: &'a Catalogue, group: &str, version: &str, rest: &[&str]) -> Option<Target<'a>> {
    if let ["namespaces", namespace, plural, rest @ ..] = rest
        && let Some(kind) = catalogue.find(group, version, plural).filter(|kind| kind.namespaced)
    {
        return Target::new(kind, namespace, rest);
    }
    let (plural, rest) = rest.split_first()?;
    let kind = catalogue.find(group, version, plural)?;
    // A namespaced object has no path without its namespace; its collection has.
    if kind.namespaced && !rest.is_empty() { None } else { Target::new(kind, "", rest) }
}

// === impl Target ===

impl<'a> Target<'a> {
    fn new(kind: &'a Kind, namespace: &str, rest: &[&str]) -> Option<Self> {
        let (name, part) = match rest {
            [] => (None, None),
            [name] => (Some(name), None),
            [name, part] => (Some(name), Some(part)),
            _ => return None,
        };
        let owned = |text: &&str| (*text).to_owned();
        Some(Self { kind, namespace: namespace.into(), name: name.map(owned), part: part.map(owned) })
    }

    /// Whether objects could be created here: not across all namespaces.
    pub(super) fn is_one_collection(&self) -> bool {
        self.name.is_none() && (!self.kind.namespaced || !self.namespace.is_empty())
    }

    /// Whether the kind is that of namespaces.
    pub(super) fn is_namespace(&self) -> bool {
        self.kind.resource == NAMESPACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> String {
        let catalogue = Catalogue::new(&[]).unwrap();
        match parse(&catalogue, path) {
            Some(Route::Objects(target)) => {
                let Target { kind, namespace, name, part } = target;
                let or = |text: Option<String>| text.unwrap_or("-".into());
                format!("{} {namespace}/{} {}", kind.resource, or(name), or(part))
            }
            Some(other) => format!("{other:?}"),
            None => "nothing".into(),
        }
    }

    #[test]
    fn every_path_names_one_thing() {
        for (path, expected) in [
            ("/healthz", "Health"),
            ("/api", "CoreVersions"),
            ("/apis/events.k8s.io", "Group(\"events.k8s.io\")"),
            ("/api/v1", "Kinds(\"\", \"v1\")"),
            ("/api/v1/pods", "pods /- -"),
            ("/api/v1/pods/p", "nothing"),
            ("/api/v1/namespaces/n/pods", "pods n/- -"),
            ("/api/v1/namespaces/n/pods/p/log", "pods n/p log"),
            ("/api/v1/namespaces", "namespaces /- -"),
            ("/api/v1/namespaces/n", "namespaces /n -"),
            ("/api/v1/namespaces/n/status", "namespaces /n status"),
            ("/api/v1/nodes/a%2Db", "nodes /a-b -"),
            ("/apis/coordination.k8s.io/v1/namespaces/n/leases/l", "leases.coordination.k8s.io n/l -"),
            ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "AccessReview"),
            ("/apis/apps/v1/deployments", "nothing"),
            ("/openapi/v3/apis/events.k8s.io/v1", "Document(\"events.k8s.io\", \"v1\")"),
            ("/", "nothing"),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }
}
