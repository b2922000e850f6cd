//! What does the API server itself refuse?
//!
//! A pod is judged when it is created; what decides cannot change afterwards, so that old pods stay
//! editable. What is added later are containers for debugging, through a subresource: of them those
//! that are new are judged. Whoever runs Windows is left out: the API server lets such a pod have no
//! capabilities, and a kubelet on Linux does not run it.

use serde_json::Value;

use super::super::{On, Policy, Rule};
use super::{HARMFUL, NetRaw};

/// The policy and its binding.
pub(super) fn objects(choice: &NetRaw) -> Vec<Value> {
    let policy = Policy {
        name: "podid-net-raw",
        on: vec![
            On { group: "", resource: "pods", operations: &["CREATE"] },
            On { group: "", resource: "pods/ephemeralcontainers", operations: &["UPDATE"] },
        ],
        conditions: &[("is-not-windows", "object.spec.?os.?name.orValue('') != 'windows'")],
        variables: variables(),
        rules: rules(),
    };
    vec![policy.object(), policy.bound_outside(&choice.left_alone(), choice.action)]
}

/// Which containers have which fault, by name. The lists are of two types, so they meet as names only.
fn variables() -> Vec<(&'static str, String)> {
    let with = |fault: &str| {
        let named = |list: &str| format!("{list}.filter(c, {fault}).map(c, c.name)");
        format!(
            "(variables.isDebugging ? [] : {} + {}) + {}",
            named("object.spec.containers"),
            named("object.spec.?initContainers.orValue([])"),
            named("variables.debuggers")
        )
    };
    let any = |list: &str, test: &str| {
        format!("c.?securityContext.?capabilities.?{list}.orValue([]).exists(x, x.upperAscii() {test})")
    };
    let added: Vec<String> = std::iter::once("ALL")
        .chain(HARMFUL)
        .flat_map(|name| [format!("'{name}'"), format!("'CAP_{name}'")])
        .collect();
    vec![
        ("isDebugging", "request.?subResource.orValue('') == 'ephemeralcontainers'".to_owned()),
        (
            "debuggers",
            "object.spec.?ephemeralContainers.orValue([]).filter(c, !variables.isDebugging || !oldObject.spec.?ephemeralContainers.orValue([]).exists(o, o.name == c.name))".to_owned(),
        ),
        ("privileged", with("c.?securityContext.?privileged.orValue(false)")),
        // No CAP_ here: containerd puts one more before it, and drops nothing.
        ("keeping", with(&format!("!{}", any("drop", "in ['ALL', 'NET_RAW']")))),
        ("adding", with(&any("add", &format!("in [{}]", added.join(", "))))),
    ]
}

fn rules() -> Vec<Rule> {
    let named = |list: &str, says: &str| {
        format!(
            "'{says}: ' + variables.{list}.join(', ') + '. On a bridge such a pod can take a neighbour\\'s address, and with it its Azure identity'"
        )
    };
    let containers = |list: &str, message: &'static str, says: &str| {
        Rule::new(format!("variables.{list}.size() == 0"), message).detailed(named(list, says))
    };
    let rules = vec![
        Rule::new(
            "variables.isDebugging || !object.spec.?hostNetwork.orValue(false)",
            "spec.hostNetwork is true: such a pod uses the node's own identities and bypasses podid; leave it out, or exempt the pod's namespace",
        ),
        containers(
            "privileged",
            "a container is privileged, so it has NET_RAW whatever it drops",
            "containers that are privileged, and so have NET_RAW whatever they drop",
        ),
        containers(
            "keeping",
            "a container does not drop NET_RAW: write securityContext: {capabilities: {drop: [ALL]}}",
            "containers that do not drop NET_RAW (write securityContext: {capabilities: {drop: [ALL]}} in each)",
        ),
        containers(
            "adding",
            "a container adds ALL, NET_RAW or NET_ADMIN: leave them out of securityContext.capabilities.add",
            "containers that add ALL, NET_RAW or NET_ADMIN (leave them out of securityContext.capabilities.add)",
        ),
    ];
    rules.into_iter().map(|rule| rule.reason("Forbidden")).collect()
}
