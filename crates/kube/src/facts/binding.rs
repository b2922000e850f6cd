//! Which pods does this `AzureIdentityBinding` match, and what does it grant?

use podid_core::facts::Binding;
use podid_core::ids::{ObjectRef, Uid};

use super::hash::SpecHash;
use super::{Unusable, object_ref, uid};
use crate::crd::AzureIdentityBinding;

/// The fact that `object` states. An empty selector or identity is kept: it matches nothing.
pub fn binding(object: &AzureIdentityBinding) -> Result<Binding, Unusable> {
    Ok(fact(object, object_ref(&object.metadata)?, uid(&object.metadata)?))
}

/// The fact that the copy `object` in an assignment states; a copy made by hand may lack a uid.
pub(super) fn copied(object: &AzureIdentityBinding) -> Result<Binding, Unusable> {
    let uid = Uid::new(object.metadata.uid.as_deref().unwrap_or_default());
    Ok(fact(object, object_ref(&object.metadata)?, uid))
}

fn fact(object: &AzureIdentityBinding, id: ObjectRef, uid: Uid) -> Binding {
    let identity = object.spec.azure_identity.as_deref().unwrap_or_default();
    let selector = object.spec.selector.as_deref().unwrap_or_default();
    Binding {
        id,
        uid,
        spec_hash: SpecHash::new().field(identity).field(selector).finish(),
        identity: identity.into(),
        selector: selector.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value)] // `json!` in place reads better than a reference to it.
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value) -> Binding {
        let metadata = json!({"namespace": "shop", "name": "b", "uid": "u1"});
        binding(&serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()).unwrap()
    }

    #[test]
    fn only_identity_and_selector_count() {
        let base = read(json!({"azureIdentity": "id", "selector": "web"}));
        assert_eq!((&*base.identity, &*base.selector), ("id", "web"));
        assert_eq!(
            read(json!({"azureIdentity": "id", "selector": "web", "weight": 3, "metadata": {}})),
            base
        );
        assert_ne!(read(json!({"azureIdentity": "id", "selector": "Web"})).spec_hash, base.spec_hash);
        assert_ne!(read(json!({"azureIdentity": "idw", "selector": "eb"})).spec_hash, base.spec_hash);
    }

    #[test]
    fn an_empty_one_is_a_fact_that_matches_nothing() {
        let empty = read(json!({}));
        assert_eq!((&*empty.identity, &*empty.selector), ("", ""));
    }
}
