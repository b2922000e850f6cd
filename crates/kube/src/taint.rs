//! How is a taint taken off a node without undoing what others write to it?

use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use podid_core::ids::NodeName;
use serde_json::{Value, json};

use crate::call::{CallError, bounded};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Takes the taints with `key` off `node`, whatever their value and effect; says whether there were any.
///
/// [`CallError::Conflict`] if the node changed between reading and writing: nothing was written, try again.
pub async fn remove(client: &Client, node: &NodeName, key: &str) -> Result<bool, CallError> {
    let api: Api<core::Node> = Api::all(client.clone());
    let found = bounded(|| format!("read node {node}"), LIMIT, api.get(node.as_str())).await?;
    let Some(change) = without(&found, key) else { return Ok(false) };
    let (params, patch) = (PatchParams::default(), Patch::Merge(change));
    let write = api.patch(node.as_str(), &params, &patch);
    bounded(|| format!("take taint {key} off node {node}"), LIMIT, write).await?;
    Ok(true)
}

/// What has to be merged into `node`; none if it has no such taint. Lists are merged as a whole, so the
/// version that was read makes sure that nobody added a taint meanwhile.
fn without(node: &core::Node, key: &str) -> Option<Value> {
    let taints = node.spec.as_ref()?.taints.as_ref()?;
    let rest: Vec<&core::Taint> = taints.iter().filter(|taint| taint.key != key).collect();
    (rest.len() < taints.len()).then(|| {
        json!({
            "metadata": {"resourceVersion": node.metadata.resource_version},
            "spec": {"taints": rest}
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Store;

    const PATH: &str = "/api/v1/nodes/aks-1";

    fn store(taints: &Value) -> Store {
        let store = Store::default();
        store.put(
            PATH,
            json!({"metadata": {"name": "aks-1"}, "spec": {"taints": taints, "podCIDR": "10.0.0.0/24"}}),
        );
        store
    }

    async fn take_off(store: &Store) -> Result<bool, CallError> {
        remove(&store.client(), &NodeName::new("aks-1"), "podid.dev/starting").await
    }

    #[tokio::test]
    async fn only_the_taints_of_that_key_go() {
        let other = json!({"key": "podid.dev/starting-soon", "effect": "NoSchedule"});
        let store = store(&json!([
            {"key": "podid.dev/starting", "effect": "NoSchedule"},
            other,
            {"key": "podid.dev/starting", "value": "x", "effect": "NoExecute"}
        ]));
        assert!(take_off(&store).await.unwrap());
        let node = store.get(PATH).unwrap();
        assert_eq!(node["spec"], json!({"taints": [other], "podCIDR": "10.0.0.0/24"}));
    }

    #[tokio::test]
    async fn a_node_without_the_taint_is_left_alone() {
        for taints in [json!(null), json!([]), json!([{"key": "other", "effect": "NoSchedule"}])] {
            let store = store(&taints);
            assert!(!take_off(&store).await.unwrap());
            assert_eq!(store.calls(), [format!("GET {PATH}")]);
        }
    }

    #[test]
    fn the_version_that_was_read_goes_along_so_that_nobody_is_overwritten() {
        let node = json!({
            "metadata": {"name": "aks-1", "resourceVersion": "7"},
            "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}
        });
        let change = without(&serde_json::from_value(node).unwrap(), "k").unwrap();
        assert_eq!(change, json!({"metadata": {"resourceVersion": "7"}, "spec": {"taints": []}}));
    }

    #[tokio::test]
    async fn a_node_that_changed_meanwhile_is_a_conflict_and_keeps_its_taints() {
        let store = store(&json!([{"key": "podid.dev/starting", "effect": "NoSchedule"}]));
        let mut newer = store.get(PATH).unwrap();
        newer["spec"]["taints"].as_array_mut().unwrap().push(json!({"key": "drain", "effect": "NoExecute"}));
        store.put_after_read(PATH, newer.clone());
        let outcome = take_off(&store).await;
        assert!(matches!(outcome, Err(CallError::Conflict { .. })), "{outcome:?}");
        assert_eq!(store.get(PATH).unwrap()["spec"], newer["spec"]);
    }
}
