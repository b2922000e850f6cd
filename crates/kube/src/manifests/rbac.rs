//! How is a right granted to a service account?

use serde_json::{Value, json};

use crate::crd::GROUP;

/// A service account with the cluster-wide `rules`.
pub(super) fn account(namespace: &str, component: &str, rules: &[Value]) -> Vec<Value> {
    vec![
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account_name(component), "namespace": namespace}
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role_name(component)},
            "rules": rules
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": binding_name(component), "labels": {"k8s-app": binding_name(component)}},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role_name(component)},
            "subjects": [subject(namespace, component)]
        }),
    ]
}

/// Rights within one namespace for the account of `component`. Without `within`, the namespace is
/// that of `kubectl apply -n`.
pub(super) fn within(
    within: Option<&str>,
    name: &str,
    rules: &[Value],
    account_namespace: &str,
    component: &str,
) -> Vec<Value> {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = within {
        metadata["namespace"] = namespace.into();
    }
    vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": rules
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [subject(account_namespace, component)]
        }),
    ]
}

/// A rule on resources of the core group.
pub(super) fn core(resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [""], "resources": resources, "verbs": verbs})
}

/// A rule on podid's own kinds.
pub(super) fn own(resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": [GROUP], "resources": resources, "verbs": verbs})
}

/// Rules to create objects of `resource` and to read and write the one called `name`: a name cannot
/// limit creation.
pub(super) fn one(group: &str, resource: &str, name: &str) -> [Value; 2] {
    [
        json!({"apiGroups": [group], "resources": [resource], "verbs": ["create"]}),
        json!({"apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": ["get", "update"]}),
    ]
}

/// Name of the service account of `component`.
pub(super) fn account_name(component: &str) -> String {
    format!("aad-pod-id-{component}-service-account")
}

/// Name of the roles of `component`.
pub(super) fn role_name(component: &str) -> String {
    format!("aad-pod-id-{component}-role")
}

fn binding_name(component: &str) -> String {
    format!("aad-pod-id-{component}-binding")
}

fn subject(namespace: &str, component: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": account_name(component), "namespace": namespace})
}
