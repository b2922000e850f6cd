//! What happens to one pod, from its node to its end?

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::container::{Part, Record, Restart, Runner};
use super::report::Report;
use super::status::seconds;
use super::{AGAIN, NodeSite, Order, Shared, stop_order, text};
use crate::client::{Failure, PODS};
use crate::net::Namespace;

/// One pod's life. Returns when it has ended and everything that it had was given back.
pub(super) async fn live(shared: Arc<Shared>, mut pod: Value, mut orders: watch::Receiver<Order>) {
    let report = Report::begin(shared.means.client.clone(), pod["metadata"].clone(), shared.ending.clone());
    if let Some(site) = scheduled(&shared, &mut pod, &mut orders).await {
        match joined(&shared, &pod, site) {
            Ok((network, address)) => {
                note_network(&mut pod, site, address);
                report.edit(|status| *status = pod["status"].clone());
                shared.announce(&pod, &network);
                let report = Arc::new(report);
                run(&shared, &pod, &report, &network, &mut orders).await;
                let (namespace, name) = name_of(&pod);
                shared.means.home.forget_pod(namespace, name);
                if let Some(address) = address {
                    drop(network);
                    if let Err(error) = site.node.remove_pod(address) {
                        tracing::warn!(%error, pod = %name, "the pod's link could not be removed");
                    }
                    shared.places.give_back(address);
                }
                // Nobody else has it any more: the containers have ended.
                if let Some(report) = Arc::into_inner(report) {
                    report.finish().await;
                }
            }
            Err(why) => {
                shared.events.record(&pod, "Warning", "FailedCreatePodSandBox", &why);
                report.edit(|status| {
                    status["phase"] = json!("Failed");
                    status["message"] = json!(why);
                });
                let _ = orders.wait_for(|order| *order != Order::Run).await;
            }
        }
    }
    let (namespace, name) = name_of(&pod);
    shared.means.logs.forget(namespace, name);
    shared.remove(&pod).await;
}

fn name_of(pod: &Value) -> (&str, &str) {
    (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]))
}

/// Finds a node and puts the pod on it. None when the pod is to stop before there is one.
async fn scheduled<'a>(
    shared: &'a Shared,
    pod: &mut Value,
    orders: &mut watch::Receiver<Order>,
) -> Option<&'a NodeSite> {
    let site = match shared.choose(pod) {
        Ok(site) => site,
        Err(why) => {
            shared.events.record(pod, "Warning", "FailedScheduling", &why);
            let _ = orders.wait_for(|order| *order != Order::Run).await;
            return None;
        }
    };
    if text(&pod["spec"]["nodeName"]).is_empty() {
        loop {
            match shared.means.client.bind(pod, &site.name).await {
                Ok(()) => break,
                // A scheduler of the cluster was faster, or the pod is gone.
                Err(Failure::Taken(_)) => return chosen_elsewhere(shared, pod).await,
                Err(Failure::Unavailable(_)) => {}
                Err(_) => return None,
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                _ = stop_order(orders) => return None,
            }
        }
        pod["spec"]["nodeName"] = json!(site.name);
        let (namespace, name) = name_of(pod);
        let message = format!("Successfully assigned {namespace}/{name} to {}", site.name);
        shared.events.record(pod, "Normal", "Scheduled", &message);
    }
    Some(site)
}

/// The node that somebody else gave to the pod.
async fn chosen_elsewhere<'a>(shared: &'a Shared, pod: &mut Value) -> Option<&'a NodeSite> {
    let (namespace, name) = name_of(pod);
    let now = shared.means.client.get(PODS, namespace, name).await.ok()?;
    if now["metadata"]["uid"] != pod["metadata"]["uid"] {
        return None;
    }
    *pod = now;
    shared.site(text(&pod["spec"]["nodeName"]))
}

/// Writes a pod's addresses into its status.
fn note_network(pod: &mut Value, site: &NodeSite, address: Option<Ipv4Addr>) {
    let host = site.node.address();
    let own = address.unwrap_or(host);
    pod["status"] = json!({
        "phase": "Pending",
        "hostIP": host.to_string(), "hostIPs": [{"ip": host.to_string()}],
        "podIP": own.to_string(), "podIPs": [{"ip": own.to_string()}],
        "startTime": seconds(Timestamp::now()),
    });
}

/// The pod's network, and its own address unless it shares its node's.
fn joined(shared: &Shared, pod: &Value, site: &NodeSite) -> Result<(Namespace, Option<Ipv4Addr>), String> {
    if pod["spec"]["hostNetwork"].as_bool().unwrap_or(false) {
        return Ok((site.node.namespace().clone(), None));
    }
    let address = shared.places.take(site.number).ok_or("the node has no free address")?;
    match site.node.add_pod(address) {
        Ok(network) => Ok((network, Some(address))),
        Err(error) => {
            shared.places.give_back(address);
            Err(error.to_string())
        }
    }
}

/// Runs the containers until they have ended and the pod is told to stop.
async fn run(
    shared: &Arc<Shared>,
    pod: &Value,
    report: &Arc<Report>,
    network: &Namespace,
    orders: &mut watch::Receiver<Order>,
) {
    let containers =
        |field: &str| -> Vec<Value> { pod["spec"][field].as_array().cloned().unwrap_or_default() };
    let (init, main) = (containers("initContainers"), containers("containers"));
    let restart = Restart::of(pod);
    let runner = Runner {
        shared: shared.clone(),
        record: Record::new(pod, report, &init, &main),
        network: network.clone(),
        orders: orders.clone(),
    };
    for (index, spec) in init.iter().enumerate() {
        if runner.clone().run((Part::Init, index), spec, restart.of_init()).await != Some(0) {
            let _ = orders.wait_for(|order| *order != Order::Run).await;
            return;
        }
    }
    let all =
        main.iter().enumerate().map(|(index, spec)| runner.clone().run((Part::Main, index), spec, restart));
    futures::future::join_all(all).await;
    let _ = orders.wait_for(|order| *order != Order::Run).await;
}
