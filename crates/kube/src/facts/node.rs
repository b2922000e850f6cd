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
