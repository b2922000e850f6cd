//! On which node does a pod run?

use std::collections::BTreeMap;

use serde_json::Value;

/// A node as the scheduler sees it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Number of pods that it has.
    pub pods: usize,
}

/// The node for `pod`: the one it names, else the emptiest one that its node selector allows, the
/// first of equals. The error says why there is none.
pub(super) fn schedule(pod: &Value, nodes: &[Candidate]) -> Result<String, String> {
    if let Some(name) = pod["spec"]["nodeName"].as_str() {
        let known = nodes.iter().any(|node| node.name == name);
        return if known { Ok(name.to_owned()) } else { Err(format!("the lab has no node {name}")) };
    }
    let selector: Vec<(&str, &str)> = pod["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    let fits = |node: &&Candidate| {
        selector.iter().all(|(key, value)| node.labels.get(*key).is_some_and(|has| has == value))
    };
    nodes
        .iter()
        .filter(fits)
        .min_by_key(|node| node.pods)
        .map(|node| node.name.clone())
        .ok_or_else(|| format!("0/{} nodes are available: none matches the pod's node selector", nodes.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nodes() -> Vec<Candidate> {
        let labels = BTreeMap::from([("kubernetes.io/os".to_owned(), "linux".to_owned())]);
        let node = |name: &str, pods| Candidate { name: name.to_owned(), labels: labels.clone(), pods };
        vec![node("a", 2), node("b", 1), node("c", 1)]
    }

    #[test]
    fn the_emptiest_allowed_node_is_taken() {
        let pod = json!({"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}});
        assert_eq!(schedule(&pod, &nodes()).unwrap(), "b");
    }

    #[test]
    fn a_named_node_wins_and_must_exist() {
        assert_eq!(schedule(&json!({"spec": {"nodeName": "a"}}), &nodes()).unwrap(), "a");
        assert!(schedule(&json!({"spec": {"nodeName": "x"}}), &nodes()).is_err());
    }

    #[test]
    fn a_selector_that_no_node_has_is_said() {
        let pod = json!({"spec": {"nodeSelector": {"kubernetes.io/os": "windows"}}});
        assert!(schedule(&pod, &nodes()).unwrap_err().contains("0/3"));
    }
}
