//! On which node does a pod go?
//!
//! As a scheduler decides, with the filters that installing podid meets: readiness, taints, node selectors, required node
//! affinity (DaemonSets name their node by it) and host ports. Resources, spreading and affinity between pods are left out.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, Taint, Toleration};
use kube::ResourceExt;

/// The name of the node for `pod`, given all nodes and pods; else why there is none.
pub(super) fn place<'a>(
    pod: &Pod,
    nodes: impl Iterator<Item = &'a Node>,
    pods: &[&Pod],
) -> Result<String, String> {
    let mut reasons = BTreeSet::new();
    let mut fitting = Vec::new();
    for node in nodes {
        let name = node.name_any();
        let there: Vec<_> = pods.iter().filter(|other| is_on(other, &name)).copied().collect();
        match obstacle(pod, node, &there) {
            None => fitting.push((there.len(), name)),
            Some(reason) => {
                reasons.insert(format!("{name}: {reason}"));
            }
        }
    }
    // The emptiest; of several the one that sorts first.
    let chosen = fitting.into_iter().min().map(|(_, name)| name);
    chosen.ok_or_else(|| {
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
        if reasons.is_empty() { "there is no node".to_owned() } else { reasons }
    })
}

fn obstacle(pod: &Pod, node: &Node, there: &[&Pod]) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let node_spec = node.spec.clone().unwrap_or_default();
    if node_spec.unschedulable == Some(true) && !is_for_one_node(pod) {
        return Some("is cordoned".to_owned());
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let taints = node_spec.taints.unwrap_or_default();
    if let Some(taint) = taints.iter().find(|taint| repels(taint, tolerations)) {
        return Some(format!("has the taint {}", taint.key));
    }
    let labels = node.labels();
    let selector = spec.node_selector.iter().flatten();
    if let Some((key, value)) = selector.into_iter().find(|(key, value)| labels.get(*key) != Some(value)) {
        return Some(format!("has no label {key}={value}"));
    }
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    if required.is_some_and(|required| !required.node_selector_terms.iter().any(|term| fits(term, node))) {
        return Some("does not match the node affinity".to_owned());
    }
    let wanted = host_ports(pod);
    let taken: BTreeSet<_> =
        there.iter().filter(|other| !is_finished(other)).flat_map(|other| host_ports(other)).collect();
    let port = wanted.intersection(&taken).next();
    port.map(|(protocol, port)| format!("{protocol} port {port} of the host is taken"))
}

/// A DaemonSet's pod goes to its node also when that is cordoned.
fn is_for_one_node(pod: &Pod) -> bool {
    pod.owner_references().iter().any(|owner| owner.kind == "DaemonSet")
}

fn is_on(pod: &Pod, node: &str) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node)
}

fn is_finished(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn repels(taint: &Taint, tolerations: &[Toleration]) -> bool {
    taint.effect != "PreferNoSchedule" && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let any_value = toleration.operator.as_deref() == Some("Exists");
    (effect.is_empty() || effect == taint.effect)
        && (key == taint.key || key.is_empty() && any_value)
        && (any_value
            || toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default())
}

/// All requirements of one term hold; an empty term matches nothing.
fn fits(term: &NodeSelectorTerm, node: &Node) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let name = node.name_any();
    (!expressions.is_empty() || !fields.is_empty())
        && expressions
            .iter()
            .all(|requirement| holds(requirement, node.labels().get(&requirement.key).map(String::as_str)))
        && fields.iter().all(|requirement| {
            holds(requirement, (requirement.key == "metadata.name").then_some(name.as_str()))
        })
}

fn holds(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.iter().any(|other| other == value));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        // Numbers: nothing that podid installs compares them.
        _ => false,
    }
}

/// Protocol and number of the node's ports that the pod wants for itself.
fn host_ports(pod: &Pod) -> BTreeSet<(String, i32)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports
        .filter_map(|port| Some((port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), port.host_port?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: &Value) -> Pod {
        let mut all = json!({"containers": [{"name": "main"}]});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": all})).unwrap()
    }

    fn node(name: &str, labels: &Value, taints: &Value) -> Node {
        let metadata = json!({"name": name, "labels": labels});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"taints": taints}})).unwrap()
    }

    #[test]
    fn a_pod_goes_where_it_may() {
        let nodes = [
            node(
                "a",
                &json!({"pool": "system"}),
                &json!([{"key": "only", "value": "system", "effect": "NoSchedule"}]),
            ),
            node("b", &json!({"pool": "user"}), &json!([])),
            node("c", &json!({"pool": "user"}), &json!([{"key": "rather", "effect": "PreferNoSchedule"}])),
        ];
        let named = |operator: &str, name: &str| {
            let field = json!({"key": "metadata.name", "operator": operator, "values": [name]});
            let terms = json!([{"matchFields": [field]}]);
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
        };
        let cases = [
            (json!({}), Ok("b")),
            (
                json!({"nodeSelector": {"pool": "system"}}),
                Err("a: has the taint only; b: has no label pool=system"),
            ),
            (json!({"nodeSelector": {"pool": "system"}, "tolerations": [{"operator": "Exists"}]}), Ok("a")),
            (
                json!({"nodeSelector": {"pool": "system"}, "tolerations": [{"key": "only", "value": "system"}]}),
                Ok("a"),
            ),
            (
                json!({"nodeSelector": {"pool": "system"}, "tolerations": [{"key": "only"}]}),
                Err("a: has the taint only"),
            ),
            (json!({"affinity": named("In", "c")}), Ok("c")),
            (json!({"affinity": named("NotIn", "b")}), Ok("c")),
            (json!({"affinity": named("In", "d")}), Err("b: does not match the node affinity")),
        ];
        for (spec, expected) in cases {
            let placed = place(&pod(&spec), nodes.iter(), &[]);
            match expected {
                Ok(name) => assert_eq!(placed.as_deref(), Ok(name), "{spec}"),
                Err(part) => assert!(placed.as_ref().unwrap_err().contains(part), "{spec}: {placed:?}"),
            }
        }
    }

    #[test]
    fn pods_spread_and_share_no_port_of_a_host() {
        let nodes = [node("a", &json!({}), &json!([])), node("b", &json!({}), &json!([]))];
        let port = json!([{"name": "main", "ports": [{"containerPort": 2579, "hostPort": 2579}]}]);
        let on_a = pod(&json!({"nodeName": "a", "containers": port}));
        let on_b = pod(&json!({"nodeName": "b"}));
        let wants = pod(&json!({"containers": port}));
        assert_eq!(place(&pod(&json!({})), nodes.iter(), &[&on_a]).unwrap(), "b");
        assert_eq!(place(&wants, nodes.iter(), &[&on_a, &on_b, &on_b]).unwrap(), "b");
        let refused = place(&wants, nodes[..1].iter(), &[&on_a]).unwrap_err();
        assert_eq!(refused, "a: TCP port 2579 of the host is taken");
        assert_eq!(place(&wants, nodes[..0].iter(), &[]).unwrap_err(), "there is no node");
    }
}
