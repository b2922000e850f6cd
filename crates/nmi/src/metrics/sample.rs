//! What does an agent expose to which everything has happened?
//!
//! For the page, the dashboard and the alerts, which must name nothing that does not exist.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use podid_runtime::readiness::Readiness;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{Inner, OperationLabels, RequestLabels, Trouble, Upstream, registry};
use crate::record::Outcome;
use crate::selftest::{Fault, Symptom};

/// The text of `/metrics`, with every metric and every value of labels that have a fixed set of them.
pub fn sample() -> String {
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = encode(&mut text, &whole());
    text
}

fn whole() -> Registry {
    let (registry, metrics) = registry(&Readiness::new());
    // A new family does not get past here without its values.
    let Inner {
        requests,
        kubernetes_errors,
        source_errors,
        source_durations,
        self_tests,
        holds,
        upstreams,
        redirect_repairs: _,
        audit_lost: _,
        served: _,
        refusals: _,
        namespaces: _,
        resources: _,
    } = &*metrics.inner;
    let request = RequestLabels {
        namespace: "shop".into(),
        operation_type: "/metadata/identity/oauth2/token",
        resource: "https://vault.azure.net".into(),
        status_code: 200,
    };
    drop(requests.get_or_create(&request));
    let operation = OperationLabels { operation_type: "adal_token" };
    drop(kubernetes_errors.get_or_create(&operation));
    drop(source_errors.get_or_create(&operation));
    drop(source_durations.get_or_create(&operation));
    let metadata = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
    self_tests.count(&Err(Fault::Untested(io::Error::other("no link"))));
    self_tests.count(&Err(Fault::Broken { metadata, symptom: Symptom::Silence }));
    self_tests.count(&Ok(()));
    for outcome in Outcome::ALL {
        holds.count(outcome.word(), Duration::ZERO);
    }
    for upstream in Upstream::ALL {
        for trouble in Trouble::all() {
            upstreams.count(upstream, Duration::ZERO, Some(trouble));
        }
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_series() {
        let text = sample();
        for descriptor in format!("{:?}", whole()).split("Descriptor { name: \"").skip(1) {
            let name = descriptor.split('"').next().unwrap();
            let has_series = text.lines().any(|line| !line.starts_with('#') && line.contains(name));
            assert!(has_series, "{name} has no series in the sample");
        }
    }
}
