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
