//! Is this DaemonSet to stay?

use k8s_openapi::api::apps::v1 as apps;
use podid_core::facts::{DaemonSet, Deletion};

use super::{Unusable, object_ref};

/// The finalizer of a deletion that leaves the pods (`kubectl delete --cascade=orphan`).
const ORPHAN: &str = "orphan";

/// The fact that `object` states.
pub fn daemon_set(object: &apps::DaemonSet) -> Result<DaemonSet, Unusable> {
    let orphans = object.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == ORPHAN);
    let deletion = object
        .metadata
        .deletion_timestamp
        .as_ref()
        .map(|_| if orphans { Deletion::WithoutPods } else { Deletion::WithPods });
    Ok(DaemonSet { id: object_ref(&object.metadata)?, deletion })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_deletion_tells_whether_the_pods_go_too() {
        let time = json!("2026-01-01T00:00:00Z");
        let cases = [
            (Value::Null, json!(["orphan"]), None),
            (time.clone(), Value::Null, Some(Deletion::WithPods)),
            (time.clone(), json!(["foregroundDeletion"]), Some(Deletion::WithPods)),
            (time, json!(["orphan"]), Some(Deletion::WithoutPods)),
        ];
        for (deleted, finalizers, expected) in cases {
            let metadata = json!({
                "namespace": "kube-system", "name": "nmi", "deletionTimestamp": deleted, "finalizers": finalizers
            });
            let object = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            assert_eq!(daemon_set(&object).unwrap().deletion, expected, "{finalizers}");
        }
    }
}
