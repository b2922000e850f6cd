//! Which kinds of object does the lab speak of, and where are they in the API?

use kube::api::ApiResource;
use kube::core::Request;
use serde_json::Value;

use super::{Failure, text};

/// One kind: its names, and whether its objects are in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// API group; empty for core.
    group: &'static str,
    /// Version that the lab speaks.
    version: &'static str,
    /// Name of the kind.
    name: &'static str,
    /// Name of the collection.
    plural: &'static str,
    namespaced: bool,
}

/// Pods.
pub(crate) const PODS: Kind = Kind::namespaced("", "v1", "Pod", "pods");
/// Nodes.
pub(crate) const NODES: Kind = Kind::of_cluster("", "v1", "Node", "nodes");
/// Namespaces.
pub(crate) const NAMESPACES: Kind = Kind::of_cluster("", "v1", "Namespace", "namespaces");
/// Secrets.
pub(crate) const SECRETS: Kind = Kind::namespaced("", "v1", "Secret", "secrets");
/// Config maps.
pub(crate) const CONFIG_MAPS: Kind = Kind::namespaced("", "v1", "ConfigMap", "configmaps");
/// Service accounts.
pub(crate) const SERVICE_ACCOUNTS: Kind = Kind::namespaced("", "v1", "ServiceAccount", "serviceaccounts");
/// Endpoints.
pub(crate) const ENDPOINTS: Kind = Kind::namespaced("", "v1", "Endpoints", "endpoints");
/// Leases.
pub(crate) const LEASES: Kind = Kind::namespaced("coordination.k8s.io", "v1", "Lease", "leases");
/// What MIC writes.
pub(crate) const ASSIGNMENTS: Kind =
    Kind::namespaced(PODID, "v1", "AzureAssignedIdentity", "azureassignedidentities");
/// Exceptions.
const EXCEPTIONS: Kind =
    Kind::namespaced(PODID, "v1", "AzurePodIdentityException", "azurepodidentityexceptions");
const ROLES: Kind = Kind::namespaced(RBAC, "v1", "Role", "roles");
const ROLE_BINDINGS: Kind = Kind::namespaced(RBAC, "v1", "RoleBinding", "rolebindings");
const CLUSTER_ROLES: Kind = Kind::of_cluster(RBAC, "v1", "ClusterRole", "clusterroles");
const CLUSTER_ROLE_BINDINGS: Kind = Kind::of_cluster(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings");
const POLICIES: Kind =
    Kind::of_cluster(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies");
const POLICY_BINDINGS: Kind = Kind::of_cluster(
    ADMISSION,
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
);
/// Definitions of custom resources.
pub(crate) const CRDS: Kind =
    Kind::of_cluster("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions");

const PODID: &str = "aadpodidentity.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// What a lab leaves in a cluster that it was given, in the order in which it can be removed.
pub(crate) const OF_A_LAB: &[Kind] = &[
    EXCEPTIONS,
    NAMESPACES,
    POLICY_BINDINGS,
    POLICIES,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    CRDS,
    NODES,
];

/// The other kinds that the lab creates or applies.
const OTHERS: &[Kind] = &[
    PODS,
    SECRETS,
    CONFIG_MAPS,
    LEASES,
    ENDPOINTS,
    ASSIGNMENTS,
    Kind::namespaced("", "v1", "Event", "events"),
    Kind::namespaced(PODID, "v1", "AzureIdentity", "azureidentities"),
    Kind::namespaced(PODID, "v1", "AzureIdentityBinding", "azureidentitybindings"),
    Kind::of_cluster("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
];

// === impl Kind ===

impl Kind {
    const fn namespaced(
        group: &'static str,
        version: &'static str,
        name: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, name, plural, namespaced: true }
    }

    const fn of_cluster(
        group: &'static str,
        version: &'static str,
        name: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, name, plural, namespaced: false }
    }

    /// The kind that an object says it is.
    pub(crate) fn of(object: &Value) -> Result<Self, Failure> {
        let (version, name) = (text(&object["apiVersion"]), text(&object["kind"]));
        let mut all = OF_A_LAB.iter().chain(OTHERS);
        let found = all.find(|kind| kind.api_version() == version && kind.name == name);
        found.copied().ok_or_else(|| Failure::Refused(format!("the lab does not know {name} of {version}")))
    }

    /// Name of the collection.
    pub(crate) fn plural(self) -> &'static str {
        self.plural
    }

    /// Requests to the collection in a namespace, or in all of them if that is empty.
    pub(super) fn at(self, namespace: &str) -> Request {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespaced && !namespace.is_empty() {
            path = format!("{path}/namespaces/{namespace}");
        }
        Request::new(format!("{path}/{}", self.plural))
    }

    /// The same in the words of the client library.
    pub(super) fn resource(self) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: self.version.to_owned(),
            api_version: self.api_version(),
            kind: self.name.to_owned(),
            plural: self.plural.to_owned(),
        }
    }

    fn api_version(self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_finds_its_collection() {
        let path = |object: &Value, namespace: &str| Kind::of(object).unwrap().at(namespace).url_path;
        let pod = json!({"apiVersion": "v1", "kind": "Pod"});
        assert_eq!(path(&pod, "a"), "/api/v1/namespaces/a/pods");
        assert_eq!(path(&pod, ""), "/api/v1/pods");
        let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"});
        assert_eq!(path(&lease, "a"), "/apis/coordination.k8s.io/v1/namespaces/a/leases");
        let node = json!({"apiVersion": "v1", "kind": "Node"});
        assert_eq!(path(&node, "a"), "/api/v1/nodes");
        assert!(Kind::of(&json!({"apiVersion": "v2", "kind": "Pod"})).is_err());
    }
}
