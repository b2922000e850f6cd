//! Where is this pod, what is it called, and can it still ask for tokens?

use std::net::IpAddr;

use k8s_openapi::api::core::v1 as core;
use podid_core::facts::{Phase, Pod};
use podid_core::ids::NodeName;

use super::{Unusable, filled, object_ref, uid};

/// The fact that `object` states.
pub fn pod(object: &core::Pod) -> Result<Pod, Unusable> {
    let metadata = &object.metadata;
    let spec = object.spec.as_ref();
    let status = object.status.as_ref();
    let labels = metadata.labels.iter().flatten();
    let started = status.and_then(|status| status.start_time.as_ref());
    Ok(Pod {
        id: object_ref(metadata)?,
        uid: uid(metadata)?,
        node: spec.and_then(|spec| filled(spec.node_name.as_deref())).map(NodeName::new),
        labels: labels.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        addresses: status.map(addresses).unwrap_or_default(),
        phase: phase(status.and_then(|status| status.phase.as_deref())),
        host_network: spec.and_then(|spec| spec.host_network).unwrap_or(false),
        terminating: metadata.deletion_timestamp.is_some(),
        started: started.or(metadata.creation_timestamp.as_ref()).map(|time| time.0),
    })
}

/// All addresses once; an entry that is no address is not one that a request can come from.
fn addresses(status: &core::PodStatus) -> Vec<IpAddr> {
    let first = status.pod_ip.as_deref();
    let all = status.pod_ips.iter().flatten().map(|entry| entry.ip.as_str());
    let mut addresses: Vec<IpAddr> =
        first.into_iter().chain(all).filter_map(|text| text.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// `Unknown` (the node is out of reach) counts as running: the pod may well be.
fn phase(text: Option<&str>) -> Phase {
    match text {
        Some("Succeeded" | "Failed") => Phase::Finished,
        Some("Pending") | None => Phase::Pending,
        Some(_) => Phase::Running,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value)] // `json!` in place reads better than a reference to it.
    use serde_json::{Value, json};

    use super::*;

    fn object(changes: Value) -> core::Pod {
        let mut object = json!({
            "metadata": {
                "namespace": "shop", "name": "web", "uid": "u1", "labels": {"aadpodidbinding": "web"},
                "creationTimestamp": "2026-11-24T10:00:00Z"
            },
            "spec": {"nodeName": "aks-1", "containers": []},
            "status": {
                "phase": "Running", "podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00::7"}],
                "startTime": "2026-11-24T10:00:05Z"
            }
        });
        json_patch::merge(&mut object, &changes);
        serde_json::from_value(object).unwrap()
    }

    fn read(changes: Value) -> Pod {
        pod(&object(changes)).unwrap()
    }

    #[test]
    fn a_running_pod_has_a_node_a_selector_and_each_address_once() {
        let fact = read(json!({}));
        assert_eq!((fact.node, fact.phase), (Some(NodeName::new("aks-1")), Phase::Running));
        assert_eq!(fact.addresses, ["10.0.0.7".parse::<IpAddr>().unwrap(), "fd00::7".parse().unwrap()]);
        assert_eq!(fact.started, Some("2026-11-24T10:00:05Z".parse().unwrap()));
        assert!(!fact.host_network && !fact.terminating);
    }

    #[test]
    fn a_pod_that_waits_for_a_node_is_a_fact_too() {
        let fact = read(json!({"spec": {"nodeName": null}, "status": null}));
        assert_eq!((fact.node, fact.phase, fact.addresses), (None, Phase::Pending, vec![]));
        assert_eq!(fact.started, Some("2026-11-24T10:00:00Z".parse().unwrap()), "else when it was created");
    }

    #[test]
    fn phases_end_with_succeeded_and_failed_only() {
        for (text, expected) in [
            (json!("Pending"), Phase::Pending),
            (Value::Null, Phase::Pending),
            (json!("Running"), Phase::Running),
            (json!("Unknown"), Phase::Running),
            (json!("Succeeded"), Phase::Finished),
            (json!("Failed"), Phase::Finished),
        ] {
            assert_eq!(read(json!({"status": {"phase": text}})).phase, expected, "{text}");
        }
    }

    #[test]
    fn odd_addresses_are_left_out_and_a_pod_without_uid_is_unusable() {
        let fact = read(json!({"status": {"podIP": "nonsense", "podIPs": [{"ip": ""}]}}));
        assert_eq!(fact.addresses, Vec::<IpAddr>::new());
        assert_eq!(pod(&object(json!({"metadata": {"uid": null}}))), Err(Unusable::Missing("metadata.uid")));
    }

    #[test]
    fn deletion_and_host_network_are_seen() {
        let fact = read(json!({
            "metadata": {"deletionTimestamp": "2026-11-24T11:00:00Z"}, "spec": {"hostNetwork": true}
        }));
        assert!(fact.host_network && fact.terminating);
    }
}
