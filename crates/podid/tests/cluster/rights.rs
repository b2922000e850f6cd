//! Are a service account's rights what it uses: no less, no more?
//!
//! Pure: what the roles grant, beside what the API server's audit log says was asked for.

use std::collections::BTreeSet;
use std::fmt;

use podid_testbed::AuditEvent;
use serde_json::Value;

/// One verb on one resource, as one rule grants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    /// Empty for the whole cluster.
    pub(crate) namespace: String,
    pub(crate) group: String,
    /// With its subresource, such as `pods/status`.
    pub(crate) resource: String,
    pub(crate) verb: String,
    /// Empty for all names.
    pub(crate) name: String,
}

/// How rights and requests of one account fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fit {
    /// What was refused, each once.
    pub(crate) missing: BTreeSet<Right>,
    /// What no request needed.
    pub(crate) superfluous: BTreeSet<Right>,
}

// === impl Right ===

impl Right {
    fn covers(&self, event: &AuditEvent) -> bool {
        let resource = resource(event);
        (self.namespace.is_empty() || self.namespace == event.namespace)
            && self.group == event.group
            && self.resource == resource
            && self.verb == event.verb
            && (self.name.is_empty() || self.name == event.name)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, group, resource, verb, name } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{verb} {resource}{dot}{group}")?;
        if !name.is_empty() {
            write!(f, " {name}")?;
        }
        if namespace.is_empty() { write!(f, " anywhere") } else { write!(f, " in {namespace}") }
    }
}

/// The user name of a service account.
pub(crate) fn user(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// What bindings and roles, as `kubectl get … --output=json` lists them, grant to an account by its name. What every account
/// may do, by its groups, is left out.
pub(crate) fn granted(objects: &[Value], namespace: &str, account: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for binding in objects.iter().filter(|object| binds(object, namespace, account)) {
        let scope = text(&binding["metadata"]["namespace"]);
        let (kind, name) = (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]);
        let role = objects.iter().find(|object| {
            let same_scope = kind == "ClusterRole" || text(&object["metadata"]["namespace"]) == scope;
            object["kind"] == *kind && object["metadata"]["name"] == *name && same_scope
        });
        let rules = role.and_then(|role| role["rules"].as_array());
        for rule in rules.into_iter().flatten() {
            rights.extend(expand(rule, &scope));
        }
    }
    rights
}

/// Compares rights with requests of `user`.
pub(crate) fn compare(rights: &BTreeSet<Right>, events: &[AuditEvent], user: &str) -> Fit {
    let mine: Vec<_> = events.iter().filter(|event| event.user == user).collect();
    let refused = mine.iter().filter(|event| event.code == 403 || event.code == 401);
    let missing = refused.map(|event| Right {
        namespace: event.namespace.clone(),
        group: event.group.clone(),
        resource: if event.resource.is_empty() { event.uri.clone() } else { resource(event) },
        verb: event.verb.clone(),
        name: event.name.clone(),
    });
    let needed = |right: &Right| mine.iter().any(|event| event.code != 403 && right.covers(event));
    Fit {
        missing: missing.collect(),
        superfluous: rights.iter().filter(|right| !needed(right)).cloned().collect(),
    }
}

fn resource(event: &AuditEvent) -> String {
    if event.subresource.is_empty() {
        event.resource.clone()
    } else {
        format!("{}/{}", event.resource, event.subresource)
    }
}

fn binds(object: &Value, namespace: &str, account: &str) -> bool {
    let subjects = object["subjects"].as_array();
    subjects.into_iter().flatten().any(|subject| {
        subject["kind"] == "ServiceAccount" && subject["name"] == account && subject["namespace"] == namespace
    })
}

fn expand(rule: &Value, namespace: &str) -> Vec<Right> {
    let list =
        |field: &str| -> Vec<String> { rule[field].as_array().into_iter().flatten().map(text).collect() };
    let mut names = list("resourceNames");
    if names.is_empty() {
        names.push(String::new());
    }
    let mut rights = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for verb in list("verbs") {
                rights.extend(names.iter().map(|name| Right {
                    namespace: namespace.to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    verb: verb.clone(),
                    name: name.clone(),
                }));
            }
        }
    }
    rights
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "mic";

    fn objects() -> Vec<Value> {
        let subjects = json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"}]);
        let other = json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "elsewhere"}]);
        vec![
            json!({"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
            ]}),
            json!({"kind": "Role", "metadata": {"name": "lock", "namespace": "default"}, "rules": [
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["lock"], "verbs": ["get"]},
            ]}),
            json!({"kind": "Role", "metadata": {"name": "lock", "namespace": "elsewhere"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]},
            ]}),
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "all"},
                   "subjects": subjects}),
            json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "default"},
                   "roleRef": {"kind": "Role", "name": "lock"}, "subjects": subjects}),
            json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "elsewhere"},
                   "roleRef": {"kind": "Role", "name": "lock"}, "subjects": other}),
        ]
    }

    fn event(verb: &str, group: &str, resource: &str, namespace: &str, name: &str, code: u16) -> AuditEvent {
        AuditEvent {
            user: user("default", ACCOUNT),
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: String::new(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uri: "/".to_owned(),
            code,
        }
    }

    fn said(rights: &BTreeSet<Right>) -> Vec<String> {
        rights.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rights_are_read_through_the_bindings_of_the_account() {
        let rights = granted(&objects(), "default", ACCOUNT);
        let expected =
            ["list pods anywhere", "watch pods anywhere", "get leases.coordination.k8s.io lock in default"];
        assert_eq!(said(&rights), expected);
        assert_eq!(granted(&objects(), "default", "other"), BTreeSet::new());
    }

    #[test]
    fn requests_use_the_rights_that_cover_them() {
        let rights = granted(&objects(), "default", ACCOUNT);
        let (list, watch) = ("list pods anywhere", "watch pods anywhere");
        let get = "get leases.coordination.k8s.io lock in default";
        let cases = [
            (vec![], vec![list, watch, get]),
            (vec![event("list", "", "pods", "", "", 200)], vec![watch, get]),
            // In one namespace only, with an error that is not about rights.
            (vec![event("list", "", "pods", "web", "", 410)], vec![watch, get]),
            (vec![event("list", "apps", "pods", "", "", 200)], vec![list, watch, get]),
            (vec![event("get", "coordination.k8s.io", "leases", "default", "lock", 404)], vec![list, watch]),
            (
                vec![event("get", "coordination.k8s.io", "leases", "default", "a", 200)],
                vec![list, watch, get],
            ),
            (vec![event("get", "coordination.k8s.io", "leases", "web", "lock", 200)], vec![list, watch, get]),
        ];
        for (events, superfluous) in cases {
            let fit = compare(&rights, &events, &user("default", ACCOUNT));
            assert_eq!(said(&fit.superfluous), superfluous, "{events:?}");
            assert!(fit.missing.is_empty(), "{events:?}");
        }
    }

    #[test]
    fn a_refused_request_is_missing_and_uses_nothing() {
        let rights = granted(&objects(), "default", ACCOUNT);
        let mut status = event("patch", "", "pods", "web", "p", 403);
        status.subresource = "status".to_owned();
        let mut path = event("get", "", "", "", "", 403);
        path.uri = "/metrics".to_owned();
        let events = [status.clone(), status, path, event("list", "", "pods", "", "", 403)];
        let fit = compare(&rights, &events, &user("default", ACCOUNT));
        let expected = ["get /metrics anywhere", "list pods anywhere", "patch pods/status p in web"];
        assert_eq!(said(&fit.missing), expected);
        assert_eq!(fit.superfluous, rights);
        assert_eq!(compare(&rights, &events, "somebody else").missing, BTreeSet::new());
    }
}
