//! Who may write the objects that decide who gets which identity?
//!
//! Every role that is bound to somebody is walked. What other authorizers than RBAC allow is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::{Api, Client};

use super::pages;
use crate::call::CallError;
use crate::crd::GROUP;

/// What somebody may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// `AzureIdentity`.
    Identities,
    /// `AzureIdentityBinding`.
    Bindings,
    /// `AzurePodIdentityException`.
    Exceptions,
}

/// A role that is bound to somebody and allows to write something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom: `User NAME`, `Group NAME` or `ServiceAccount NAMESPACE/NAME`.
    pub subject: Arc<str>,
    /// Where; everywhere if there is none.
    pub namespace: Option<Arc<str>>,
    /// By which role.
    pub role: Arc<str>,
    /// Whether it allows everything there is, as `cluster-admin` does.
    pub everything: bool,
    /// What may be written.
    pub written: BTreeSet<Written>,
}

/// All grants.
pub(super) async fn grants(client: &Client) -> Result<Vec<Grant>, CallError> {
    let (cluster_roles, roles, cluster_bindings, bindings) = tokio::join!(
        pages::all(Api::<ClusterRole>::all(client.clone()), "list clusterroles", |object: &ClusterRole| {
            let name = object.metadata.name.clone()?;
            Some(((None, name), powers(object.rules.as_deref().unwrap_or_default())?))
        }),
        pages::all(Api::<Role>::all(client.clone()), "list roles", |object: &Role| {
            let (namespace, name) = (object.metadata.namespace.clone()?, object.metadata.name.clone()?);
            Some(((Some(namespace), name), powers(object.rules.as_deref().unwrap_or_default())?))
        }),
        pages::all(
            Api::<ClusterRoleBinding>::all(client.clone()),
            "list clusterrolebindings",
            |object: &ClusterRoleBinding| {
                Some((None, object.role_ref.clone(), object.subjects.clone().unwrap_or_default()))
            }
        ),
        pages::all(Api::<RoleBinding>::all(client.clone()), "list rolebindings", |object: &RoleBinding| {
            let namespace = Some(object.metadata.namespace.clone()?);
            Some((namespace, object.role_ref.clone(), object.subjects.clone().unwrap_or_default()))
        }),
    );
    let powers: BTreeMap<_, _> = cluster_roles?.into_iter().chain(roles?).collect();
    Ok(cluster_bindings?.into_iter().chain(bindings?).flat_map(|bound| of(&powers, bound)).collect())
}

type Powers = (BTreeSet<Written>, bool);
type Bound = (Option<String>, RoleRef, Vec<Subject>);

fn of(powers: &BTreeMap<(Option<String>, String), Powers>, (namespace, role, subjects): Bound) -> Vec<Grant> {
    let home = if role.kind == "Role" { namespace.clone() } else { None };
    let Some((written, everything)) = powers.get(&(home, role.name.clone())) else { return Vec::new() };
    let grant = |subject: Subject| Grant {
        subject: named(&subject, namespace.as_deref()).into(),
        namespace: namespace.as_deref().map(Into::into),
        role: format!("{} {}", role.kind, role.name).into(),
        everything: *everything,
        written: written.clone(),
    };
    subjects.into_iter().map(grant).collect()
}

fn named(subject: &Subject, home: Option<&str>) -> String {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            let namespace = subject.namespace.as_deref().or(home).unwrap_or_default();
            format!("ServiceAccount {namespace}/{}", subject.name)
        }
        kind => format!("{kind} {}", subject.name),
    }
}

/// What the rules allow to write; none if nothing.
fn powers(rules: &[PolicyRule]) -> Option<Powers> {
    let mut written = BTreeSet::new();
    let mut everything = false;
    for rule in rules {
        let has = |list: &[String], names: &[&str]| {
            list.iter().any(|one| one == "*" || names.contains(&one.as_str()))
        };
        let groups = rule.api_groups.as_deref().unwrap_or_default();
        let resources = rule.resources.as_deref().unwrap_or_default();
        // Whoever may change an object of a certain name gives its identity away just as well.
        if !has(groups, &[GROUP]) || !has(&rule.verbs, &["create", "update", "patch"]) {
            continue;
        }
        let kinds = [
            (Written::Identities, "azureidentities"),
            (Written::Bindings, "azureidentitybindings"),
            (Written::Exceptions, "azurepodidentityexceptions"),
        ];
        written.extend(kinds.into_iter().filter(|(_, name)| has(resources, &[name])).map(|(kind, _)| kind));
        let star = |list: &[String]| list.iter().any(|one| one == "*");
        everything |= star(groups) && star(resources) && star(&rule.verbs);
    }
    (!written.is_empty()).then_some((written, everything))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(rules: &Value) -> Option<Powers> {
        powers(&serde_json::from_value::<Vec<PolicyRule>>(rules.clone()).unwrap())
    }

    #[test]
    fn only_verbs_that_write_and_only_our_kinds_count_and_a_star_is_everything() {
        let rule = |group: &str, resource: &str, verb: &str| json!([{"apiGroups": [group], "resources": [resource], "verbs": [verb]}]);
        for nothing in [
            rule(GROUP, "azureidentities", "get"),
            rule(GROUP, "azureidentities", "delete"),
            rule(GROUP, "azureidentities/status", "update"),
            rule("apps", "*", "*"),
            rule("", "azureidentities", "create"),
            json!([{"nonResourceURLs": ["*"], "verbs": ["*"]}]),
        ] {
            assert_eq!(read(&nothing), None, "{nothing}");
        }
        let all = BTreeSet::from([Written::Identities, Written::Bindings, Written::Exceptions]);
        assert_eq!(read(&rule("*", "*", "*")), Some((all.clone(), true)));
        assert_eq!(read(&rule(GROUP, "*", "*")), Some((all, false)));
        assert_eq!(
            read(&rule("*", "azureidentities", "patch")),
            Some((BTreeSet::from([Written::Identities]), false))
        );
    }

    #[test]
    fn a_role_counts_where_it_is_bound_for_whoever_is_named() {
        let powers = BTreeMap::from([
            ((None, "wide".to_owned()), (BTreeSet::from([Written::Bindings]), false)),
            ((Some("shop".to_owned()), "local".to_owned()), (BTreeSet::from([Written::Identities]), false)),
        ]);
        let bound = |namespace: Option<&str>, kind: &str, name: &str, subjects: Value| {
            let role = RoleRef { kind: kind.into(), name: name.into(), ..RoleRef::default() };
            let subjects = serde_json::from_value(subjects).unwrap();
            let grants = of(&powers, (namespace.map(str::to_owned), role, subjects));
            grants
                .iter()
                .map(|one| format!("{} {:?} {}", one.subject, one.namespace, one.role))
                .collect::<Vec<_>>()
        };
        let people = json!([{"kind": "User", "name": "ann"}, {"kind": "ServiceAccount", "name": "ci"}]);
        assert_eq!(
            bound(Some("shop"), "ClusterRole", "wide", people.clone()),
            [
                "User ann Some(\"shop\") ClusterRole wide",
                "ServiceAccount shop/ci Some(\"shop\") ClusterRole wide"
            ]
        );
        assert_eq!(bound(Some("shop"), "Role", "local", people.clone()).len(), 2);
        // A Role of another namespace with the same name is another role.
        assert_eq!(bound(Some("bank"), "Role", "local", people.clone()), [""; 0]);
        assert_eq!(bound(None, "ClusterRole", "gone", people), [""; 0]);
    }
}
