//! Which powers has a pod?

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::core::v1::SecurityContext;

use super::Pod;
use crate::facts;

/// Set by people who use workload identity, and looked at by its webhook.
const FEDERATED: &str = "azure.workload.identity/use";

pub(super) fn read(object: &core::Pod) -> Option<Pod> {
    let fact = facts::pod(object).ok()?;
    let spec = object.spec.as_ref()?;
    let conditions = object.status.as_ref().and_then(|status| status.conditions.as_deref());
    let main = spec.containers.iter().map(|one| (&one.name, one.security_context.as_ref()));
    let init = spec.init_containers.iter().flatten();
    let init = init.map(|one| (&one.name, one.security_context.as_ref()));
    let debugging = spec.ephemeral_containers.iter().flatten();
    let debugging = debugging.map(|one| (&one.name, one.security_context.as_ref()));
    let all = main.chain(init).chain(debugging);
    Some(Pod {
        raw: all.filter(|(_, security)| is_raw(*security)).map(|(name, _)| name.as_str().into()).collect(),
        ready: conditions.unwrap_or_default().iter().any(|one| one.type_ == "Ready" && one.status == "True"),
        federated: fact.labels.get(FEDERATED).is_some_and(|value| &**value == "true"),
        windows: spec.os.as_ref().is_some_and(|os| os.name == "windows"),
        fact,
    })
}

/// Whether a runtime gives it `NET_RAW` or `NET_ADMIN`; the policy podid-net-raw asks the same.
fn is_raw(security: Option<&SecurityContext>) -> bool {
    let Some(security) = security else { return true };
    let capabilities = security.capabilities.as_ref();
    let drops = capabilities.and_then(|some| some.drop.as_deref()).unwrap_or_default();
    let adds = capabilities.and_then(|some| some.add.as_deref()).unwrap_or_default();
    let is = |name: &String, known: &[&str]| known.iter().any(|one| name.eq_ignore_ascii_case(one));
    let harmful = ["ALL", "CAP_ALL", "NET_RAW", "CAP_NET_RAW", "NET_ADMIN", "CAP_NET_ADMIN"];
    security.privileged.unwrap_or(false)
        || !drops.iter().any(|name| is(name, &["ALL", "NET_RAW"]))
        || adds.iter().any(|name| is(name, &harmful))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn raw(security: &Value) -> bool {
        is_raw(serde_json::from_value::<Option<SecurityContext>>(security.clone()).unwrap().as_ref())
    }

    #[test]
    fn a_container_has_raw_packets_unless_it_drops_them_and_adds_nothing_like_them() {
        let capabilities = |drop: &[&str], add: &[&str]| json!({"capabilities": {"drop": drop, "add": add}});
        for bad in [
            json!(null),
            json!({}),
            capabilities(&[], &[]),
            capabilities(&["CAP_NET_RAW"], &[]),
            capabilities(&["ALL"], &["net_raw"]),
            capabilities(&["ALL"], &["NET_ADMIN"]),
            json!({"privileged": true, "capabilities": {"drop": ["ALL"]}}),
        ] {
            assert!(raw(&bad), "{bad}");
        }
        for good in [
            capabilities(&["all"], &[]),
            capabilities(&["NET_RAW"], &["SYS_TIME"]),
            json!({"privileged": false, "capabilities": {"drop": ["ALL"]}}),
        ] {
            assert!(!raw(&good), "{good}");
        }
    }

    #[test]
    fn every_kind_of_container_counts() {
        let good = json!({"capabilities": {"drop": ["ALL"]}});
        let pod = json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"azure.workload.identity/use": "true"}},
            "spec": {
                "os": {"name": "linux"},
                "containers": [{"name": "main", "securityContext": good}, {"name": "second"}],
                "initContainers": [{"name": "init"}],
                "ephemeralContainers": [{"name": "debug"}, {"name": "fine", "securityContext": good}]
            },
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}
        });
        let pod = read(&serde_json::from_value(pod).unwrap()).unwrap();
        assert_eq!(pod.raw.iter().map(|name| &**name).collect::<Vec<_>>(), ["second", "init", "debug"]);
        assert_eq!((pod.ready, pod.federated, pod.windows), (true, true, false));
    }
}
