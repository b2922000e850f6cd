//! Who may give an identity to pods?
//!
//! `AzureIdentity` and `AzureIdentityBinding` are the grant: without this, whoever may write the two in
//! some namespace can use every identity that is on the nodes. With it, the author needs the right by
//! RBAC: the verb `use` on what is granted. An identity is what it names in Azure, so the right to write
//! one is on the resource id (or on reading the Secret of a service principal); a binding names an
//! identity of its namespace, so that right is on the object. An exception gives every identity of the
//! node. What an edit leaves as it was needs no right: labels and old objects stay editable.

use serde_json::Value;

use super::{Action, On, Policy, Rule};
use crate::crd::GROUP;

/// The group and resource by which rights on identities of Azure are named; no such objects exist.
const RESOURCE: (&str, &str) = ("podid.dev", "userassignedidentities");

/// What makes an identity serve its own namespace only, where bindings match in the whole cluster.
const BEHAVIOR: &str = "aadpodidentity.k8s.io/Behavior";

/// The policies, each with its binding.
pub(super) fn objects(action: Action) -> Vec<Value> {
    let policies = [identity(), binding(), exception()];
    policies.iter().flat_map(|policy| [policy.object(), policy.bound_outside(&[], action)]).collect()
}

/// Whether the author has a right: `resource` is a CEL text, `name` a CEL expression or none for all.
fn may(group: &str, resource: &str, name: Option<&str>, verb: &str) -> String {
    let name = name.map(|name| format!(".name({name})")).unwrap_or_default();
    format!(
        "authorizer.group('{group}').resource('{resource}').namespace(request.namespace){name}.check('{verb}').allowed()"
    )
}

/// What is created, or changed in what decides. Also of an object that is being deleted: as long as a finalizer holds
/// it, the agents go by it.
fn grants(changed: &str) -> String {
    format!("(oldObject == null || {changed})")
}

fn identity() -> Policy<'static> {
    let (group, resource) = RESOURCE;
    let managed = Rule::new(
        format!(
            "!variables.grants || variables.type != 0 || variables.resourceID == '' || {}",
            may(group, resource, Some("variables.resourceID"), "use")
        ),
        "the author may not use the managed identity that spec.resourceID names",
    )
    .detailed(format!(
        "request.userInfo.username + ' may not use the managed identity ' + variables.resourceID + ' in namespace ' + request.namespace + ': a Role there has to allow the verb use on {resource}.{group} with this resourceName, in small letters'"
    ));
    let principal = Rule::new(
        format!(
            "!variables.grants || variables.type == 0 || variables.secret == '' || {}",
            may("", "secrets", Some("variables.secret"), "get")
        ),
        "the author may not read the Secret that spec.clientPassword names",
    )
    .detailed(
        "request.userInfo.username + ' may not read the Secret ' + request.namespace + '/' + variables.secret + ', which spec.clientPassword names: who may not read a credential may not have tokens by it'",
    );
    let changed = format!(
        "object.?spec != oldObject.?spec || object.metadata.?annotations[?'{BEHAVIOR}'] != oldObject.metadata.?annotations[?'{BEHAVIOR}']"
    );
    Policy {
        name: "podid-identity-users",
        on: vec![On::ours("azureidentities")],
        conditions: &[],
        variables: vec![
            ("grants", grants(&changed)),
            ("type", "object.?spec.?type.orValue(0)".to_owned()),
            // Azure compares them without case, RBAC does not.
            ("resourceID", "object.?spec.?resourceID.orValue('').lowerAscii()".to_owned()),
            ("secret", "object.?spec.?clientPassword.?name.orValue('')".to_owned()),
        ],
        rules: vec![managed.reason("Forbidden"), principal.reason("Forbidden")],
    }
}

fn binding() -> Policy<'static> {
    let rule = Rule::new(
        format!(
            "!variables.grants || variables.identity == '' || {}",
            may(GROUP, "azureidentities", Some("variables.identity"), "use")
        ),
        "the author may not use the AzureIdentity that spec.azureIdentity names",
    )
    .detailed(format!(
        "request.userInfo.username + ' may not use AzureIdentity ' + request.namespace + '/' + variables.identity + ': a Role in namespace ' + request.namespace + ' has to allow the verb use on azureidentities.{GROUP} with this resourceName'"
    ));
    Policy {
        name: "podid-binding-users",
        on: vec![On::ours("azureidentitybindings")],
        conditions: &[],
        variables: vec![
            ("grants", grants("object.?spec != oldObject.?spec")),
            ("identity", "object.?spec.?azureIdentity.orValue('')".to_owned()),
        ],
        rules: vec![rule.reason("Forbidden")],
    }
}

fn exception() -> Policy<'static> {
    let (group, resource) = RESOURCE;
    let rule = Rule::new(
        format!("!variables.grants || {}", may(group, resource, None, "use")),
        "the author may not use every managed identity, and an exception gives all those of the node",
    )
    .detailed(format!(
        "request.userInfo.username + ' may not write exceptions in namespace ' + request.namespace + ': an exception gives pods every identity of their node, so a Role there has to allow the verb use on {resource}.{group} without resourceNames'"
    ));
    Policy {
        name: "podid-exception-users",
        on: vec![On::ours("azurepodidentityexceptions")],
        conditions: &[],
        variables: vec![("grants", grants("object.?spec != oldObject.?spec"))],
        rules: vec![rule.reason("Forbidden")],
    }
}
