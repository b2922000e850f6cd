//! Which machine is this node?

use k8s_openapi::api::core::v1 as core;
use podid_core::facts::Node;
use podid_core::ids::NodeName;

use super::{Unusable, filled};

/// The fact that `object` states.
pub fn node(object: &core::Node) -> Result<Node, Unusable> {
    let name = filled(object.metadata.name.as_deref()).ok_or(Unusable::Missing("metadata.name"))?;
    let provider_id = object.spec.as_ref().and_then(|spec| spec.provider_id.as_deref());
    Ok(Node { name: NodeName::new(name), provider_id: provider_id.unwrap_or_default().into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_without_a_provider_id_is_a_fact_too() {
        for (spec, expected) in
            [(json!({"providerID": "azure:///x"}), "azure:///x"), (json!({}), ""), (json!(null), "")]
        {
            let object = json!({"metadata": {"name": "aks-1"}, "spec": spec});
            let fact = node(&serde_json::from_value(object).unwrap()).unwrap();
            assert_eq!((fact.name.as_str(), &*fact.provider_id), ("aks-1", expected));
        }
    }
}
