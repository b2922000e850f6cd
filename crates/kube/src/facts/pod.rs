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
