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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_kept_and_none_is_allowed() {
        let metadata = json!({"namespace": "shop", "name": "e"});
        for (labels, count) in [(json!({"app": "mic", "tier": "x"}), 2), (json!({}), 0), (json!(null), 0)] {
            let object = json!({"metadata": metadata, "spec": {"podLabels": labels}});
            let fact = exception(&serde_json::from_value(object).unwrap()).unwrap();
            assert_eq!(fact.pod_labels.len(), count);
        }
    }
}
