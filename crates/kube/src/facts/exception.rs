//! Which pods does this `AzurePodIdentityException` except?

use podid_core::facts::Exception;

use super::{Unusable, object_ref};
use crate::crd::AzurePodIdentityException;

/// The fact that `object` states. One without labels is kept: it excepts nobody.
pub fn exception(object: &AzurePodIdentityException) -> Result<Exception, Unusable> {
    let labels = object.spec.pod_labels.iter().flatten();
    Ok(Exception {
        id: object_ref(&object.metadata)?,
        pod_labels: labels.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
    })
}
