//! Who may give an identity to pods?

use podid_testbed::{ControlPlane, Output};
use serde_json::{Value, json};

use crate::cluster::{create, eventually, namespace, shared};

/// May write all three kinds, as the cluster's role for editing lets people.
const WRITER: &str = "writer";
/// A writer who may use one managed identity and one AzureIdentity, too.
const OWNER: &str = "owner";
/// A writer who may use everything.
const KEEPER: &str = "keeper";

const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/Group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Shop";
const OTHER: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/Group/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet";

const GROUP: &str = "aadpodidentity.k8s.io";

/// A namespace in which the three people have their rights.
fn prepared(cluster: &ControlPlane, name: &str) {
    namespace(cluster, name);
    let role = |role: &str, user: &str, rules: &[Value]| {
        let role_object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": role, "namespace": name}, "rules": rules
        });
        create(cluster, &role_object).ok();
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": role, "namespace": name},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        });
        create(cluster, &binding).ok();
    };
    let write = json!({
        "apiGroups": [GROUP],
        "resources": ["azureidentities", "azureidentitybindings", "azurepodidentityexceptions"],
        "verbs": ["create", "update", "patch", "get", "list", "delete"]
    });
    let one = json!({
        "apiGroups": ["podid.dev"], "resources": ["userassignedidentities"], "verbs": ["use"],
        "resourceNames": [RESOURCE.to_lowercase()]
    });
    let object = json!({"apiGroups": [GROUP], "resources": ["azureidentities"], "verbs": ["use"], "resourceNames": ["shop"]});
    let secret = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["credential"]});
    let all = json!({"apiGroups": ["podid.dev"], "resources": ["userassignedidentities"], "verbs": ["use"]});
    role(WRITER, WRITER, std::slice::from_ref(&write));
    role(OWNER, OWNER, &[write.clone(), one, object, secret]);
    role(KEEPER, KEEPER, &[write, all]);
    eventually("rights hold", || {
        let asked = [
            "auth",
            "can-i",
            "create",
            "azureidentities.aadpodidentity.k8s.io",
            "--namespace",
            name,
            "--as",
            KEEPER,
        ];
        cluster.kubectl(&asked).success()
    });
}

fn create_as(cluster: &ControlPlane, user: &str, object: &Value) -> Output {
    cluster.kubectl_with(&["create", "--filename=-", "--as", user], &object.to_string())
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "aadpodidentity.k8s.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec
    })
}

fn managed(resource: &str) -> Value {
    json!({"type": 0, "resourceID": resource, "clientID": "c"})
}

fn refused(output: &Output, policy: &str, parts: &[&str]) {
    let policy = format!("ValidatingAdmissionPolicy '{policy}'");
    assert!(!output.success() && output.stderr.contains(&policy), "{output:?}");
    for part in parts {
        assert!(output.stderr.contains(part), "{part}: {output:?}");
    }
}

/// The API server learns of a policy a moment after it was written.
pub(crate) fn until_policies_hold(cluster: &ControlPlane) {
    prepared(cluster, "rights");
    let objects = [
        object("AzureIdentity", "rights", "probe", &managed(OTHER)),
        object("AzureIdentityBinding", "rights", "probe", &json!({"azureIdentity": "x", "selector": "x"})),
        object("AzurePodIdentityException", "rights", "probe", &json!({"podLabels": {"a": "b"}})),
    ];
    for object in objects {
        eventually("the policies on grants hold", || {
            let asked = ["create", "--dry-run=server", "--filename=-", "--as", WRITER];
            cluster.kubectl_with(&asked, &object.to_string()).stderr.contains("ValidatingAdmissionPolicy")
        });
    }
}

#[test]
fn a_managed_identity_is_named_only_by_those_who_may_use_it() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "managed");
    let identity = |name: &str, resource: &str| object("AzureIdentity", "managed", name, &managed(resource));
    let without = create_as(cluster, WRITER, &identity("shop", RESOURCE));
    let lower = RESOURCE.to_lowercase();
    refused(
        &without,
        "podid-identity-users",
        &["writer may not use the managed identity", &lower, "userassignedidentities.podid.dev"],
    );
    refused(
        &create_as(cluster, OWNER, &identity("other", OTHER)),
        "podid-identity-users",
        &["userassignedidentities/kubelet"],
    );
    // No type is type 0; and the letters' case is Azure's business.
    let mut untyped = identity("shop", RESOURCE);
    untyped["spec"].as_object_mut().unwrap().remove("type");
    refused(&create_as(cluster, WRITER, &untyped), "podid-identity-users", &[]);
    create_as(cluster, OWNER, &untyped).ok();
    create_as(cluster, KEEPER, &identity("other", OTHER)).ok();
    // Whoever may do everything needs no rule of its own.
    create(cluster, &identity("third", OTHER)).ok();
}

#[test]
fn a_right_holds_in_its_namespace_only() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "here");
    namespace(cluster, "there");
    let write = [
        "create",
        "rolebinding",
        "edit",
        "--clusterrole=cluster-admin",
        "--user=somebody",
        "--namespace=here",
    ];
    cluster.kubectl(&write).ok();
    let there = object("AzureIdentity", "there", "shop", &managed(RESOURCE));
    // Not even the policy is asked, as RBAC says no; and where it lets one write, the right has to be there, too.
    assert!(!create_as(cluster, OWNER, &there).success());
    let write = [
        "create",
        "role",
        "write",
        "--verb=create",
        "--resource=azureidentities.aadpodidentity.k8s.io",
        "--namespace=there",
    ];
    cluster.kubectl(&write).ok();
    cluster
        .kubectl(&["create", "rolebinding", "write", "--role=write", "--user=owner", "--namespace=there"])
        .ok();
    eventually("the policy speaks", || {
        create_as(cluster, OWNER, &there).stderr.contains("ValidatingAdmissionPolicy 'podid-identity-users'")
    });
}

#[test]
fn a_service_principal_is_named_only_by_those_who_may_read_its_secret() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "principals");
    let identity = |secret: &str| {
        let spec =
            json!({"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": secret}});
        object("AzureIdentity", "principals", secret, &spec)
    };
    refused(
        &create_as(cluster, WRITER, &identity("credential")),
        "podid-identity-users",
        &["may not read the Secret principals/credential"],
    );
    refused(
        &create_as(cluster, OWNER, &identity("foreign")),
        "podid-identity-users",
        &["principals/foreign"],
    );
    create_as(cluster, OWNER, &identity("credential")).ok();
}

#[test]
fn an_identity_is_bound_only_by_those_who_may_use_it() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "bound");
    let binding = |name: &str, identity: &str| {
        object("AzureIdentityBinding", "bound", name, &json!({"azureIdentity": identity, "selector": "web"}))
    };
    refused(
        &create_as(cluster, WRITER, &binding("a", "shop")),
        "podid-binding-users",
        &["may not use AzureIdentity bound/shop"],
    );
    refused(&create_as(cluster, OWNER, &binding("a", "other")), "podid-binding-users", &["bound/other"]);
    create_as(cluster, OWNER, &binding("a", "shop")).ok();
}

#[test]
fn an_exception_is_written_only_by_those_who_may_use_every_identity() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "excepted");
    let exception =
        object("AzurePodIdentityException", "excepted", "e", &json!({"podLabels": {"app": "web"}}));
    for user in [WRITER, OWNER] {
        refused(
            &create_as(cluster, user, &exception),
            "podid-exception-users",
            &["every identity of their node"],
        );
    }
    create_as(cluster, KEEPER, &exception).ok();
}

/// What was granted by somebody else stays, and may be labelled, tidied up and taken back by any writer.
#[test]
fn an_edit_that_grants_nothing_new_needs_no_right_and_one_that_does_needs_it() {
    let Some(cluster) = shared() else { return };
    prepared(cluster, "edits");
    create(cluster, &object("AzureIdentity", "edits", "shop", &managed(RESOURCE))).ok();
    let annotated =
        ["annotate", "azureidentity/shop", "--namespace=edits", "aadpodidentity.k8s.io/Behavior=namespaced"];
    cluster.kubectl(&annotated).ok();
    create(
        cluster,
        &object(
            "AzureIdentityBinding",
            "edits",
            "shop",
            &json!({"azureIdentity": "shop", "selector": "web"}),
        ),
    )
    .ok();
    let edit = |user: &str, arguments: &[&str]| {
        cluster.kubectl(&[arguments, &["--namespace=edits", "--as", user]].concat())
    };
    edit(WRITER, &["label", "azureidentity/shop", "a=b"]).ok();
    edit(WRITER, &["annotate", "azureidentitybinding/shop", "a=b"]).ok();
    let spec = |object: &str, user: &str, spec: &Value| {
        edit(user, &["patch", object, "--type=merge", "--patch", &json!({"spec": spec}).to_string()])
    };
    refused(&spec("azureidentity/shop", WRITER, &json!({"resourceID": OTHER})), "podid-identity-users", &[]);
    refused(&spec("azureidentity/shop", OWNER, &json!({"resourceID": OTHER})), "podid-identity-users", &[]);
    refused(&spec("azureidentity/shop", WRITER, &json!({"clientID": "d"})), "podid-identity-users", &[]);
    refused(
        &spec("azureidentitybinding/shop", WRITER, &json!({"selector": "mine"})),
        "podid-binding-users",
        &[],
    );
    refused(
        &spec("azureidentitybinding/shop", OWNER, &json!({"azureIdentity": "other"})),
        "podid-binding-users",
        &[],
    );
    // Without it the identity serves every namespace where matching is cluster-wide.
    let widened = ["annotate", "azureidentity/shop", "aadpodidentity.k8s.io/Behavior-"];
    refused(&edit(WRITER, &widened), "podid-identity-users", &[]);
    spec("azureidentity/shop", OWNER, &json!({"clientID": "d"})).ok();
    spec("azureidentitybinding/shop", OWNER, &json!({"selector": "other"})).ok();
    edit(OWNER, &widened).ok();
    edit(WRITER, &["delete", "azureidentitybinding/shop", "--wait=false"]).ok();
    edit(WRITER, &["delete", "azureidentity/shop", "--wait=false"]).ok();
}
