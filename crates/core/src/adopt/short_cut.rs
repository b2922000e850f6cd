//! Which pods live on the original's short cut for its controller?
//!
//! Its agent passed every request of a pod on whose ReplicaSet's name begins with `mic`, in the
//! namespace that `--MICNamespace` names (W-07). With podid only an exception does that.

use super::finding::some;
use super::installed::object;
use super::{Code, Finding, Level, Object, Pod, View};
use crate::facts::POD_LABEL;

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    if view.original.agents.is_empty() || view.cluster.exceptions.is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let lives_on_it = |pod: &&Pod| is_short_cut(view, pod) && !view.cluster.is_excepted(&pod.fact);
    let controllers = &view.original.controllers;
    for controller in controllers {
        let own = view.cluster.pods().iter().filter(lives_on_it);
        let mut own = own.filter(|pod| controller.owns(&pod.fact.id.namespace, &pod.fact.labels));
        if own.next().is_some() {
            let label = controller.selector.iter().next();
            let (key, value) = label.map_or(("component", "mic"), |(key, value)| (&**key, &**value));
            findings.push(Finding {
                code: Code::ControllerShortCut,
                level: Level::Changes,
                object: object(controller),
                change: "No AzurePodIdentityException covers its pods; on a node with podid's agent they get no token \
                         for ARM, so it could not take over again."
                    .to_owned(),
                action: exception(&controller.id.namespace, "mic", key, value),
            });
        }
    }
    let others = view.cluster.pods().iter().filter(lives_on_it).filter(|pod| {
        let labels = &pod.fact.labels;
        !controllers.iter().any(|controller| controller.owns(&pod.fact.id.namespace, labels))
            && !labels.contains_key(POD_LABEL)
    });
    let others: Vec<&Pod> = others.collect();
    if let Some(first) = others.first() {
        findings.push(Finding {
            code: Code::PodShortCut,
            level: Level::Changes,
            object: Object::new("Pod", &first.fact.id),
            change: format!(
                "The agent of the original takes {} for its controller by the name of the ReplicaSet and passes all \
                 requests on; podid's does not.",
                some(others.iter().map(|pod| &pod.fact.id))
            ),
            action: "If a pod needs that, give it an AzurePodIdentityException; else bind it to an identity.".to_owned(),
        });
    }
    findings
}

fn is_short_cut(view: &View<'_>, pod: &Pod) -> bool {
    let here = view.original.agents.iter().any(|agent| {
        let namespace = agent.flag("MICNamespace").filter(|name| !name.is_empty()).unwrap_or("default");
        !agent.is_managed() && namespace.eq_ignore_ascii_case(&pod.fact.id.namespace)
    });
    let named = pod.replica_set.as_ref().is_some_and(|name| name.starts_with("mic"));
    here && named && pod.fact.is_live() && !pod.fact.host_network
}

/// A command that makes an exception.
fn exception(namespace: &str, name: &str, key: &str, value: &str) -> String {
    format!(
        "printf '{{\"apiVersion\":\"aadpodidentity.k8s.io/v1\",\"kind\":\"AzurePodIdentityException\",\"metadata\":\
         {{\"name\":\"{name}\",\"namespace\":\"{namespace}\"}},\"spec\":{{\"podLabels\":{{\"{key}\":\"{value}\"}}}}}}' \
         | kubectl apply -f -"
    )
}
