//! Do the rights of the node agent suffice for what it does about its own DaemonSet and its own node?
//!
//! On a real API server, with the service account of the manifests and nothing more.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

use std::time::Duration;

use futures::StreamExt;
use podid_core::farewell::{Farewell, Seen};
use podid_core::ids::{NodeName, ObjectRef};
use podid_kube::call::CallError;
use podid_kube::manifests::Install;
use podid_kube::watch::{Change, Changes};
use podid_kube::{Client, client, lookup, taint, watch};
use podid_testbed::{ControlPlane, Programs};
use serde_json::{Value, json};

const NAMESPACE: &str = "kube-system";
const TAINT: &str = "podid.dev/starting";
/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_mins(1);

/// The agent's memory of its DaemonSet, fed by a real watch.
struct Memory {
    changes: Changes<podid_core::facts::DaemonSet>,
    seen: Seen,
}

// === impl Memory ===

impl Memory {
    async fn until(&mut self, what: &str, wanted: Seen) {
        let reading = async {
            while self.seen != wanted {
                match self.changes.next().await.unwrap() {
                    Change::Applied(now) => self.seen = self.seen.then(Some(&now)),
                    Change::Gone(_) => self.seen = self.seen.then(None),
                    Change::Synced => {}
                }
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, reading).await;
        assert!(outcome.is_ok(), "{what}: {:?} instead of {wanted:?}", self.seen);
    }
}

#[test]
fn the_agent_learns_of_its_daemon_sets_end_and_takes_its_own_taint_off_with_its_rights_only() {
    let Some(programs) = Programs::find_or_skip("own DaemonSet and startup taint") else { return };
    let cluster = ControlPlane::start(&programs).unwrap();
    let install = Install {
        namespace: NAMESPACE.to_owned(),
        startup_taint: Some(TAINT.to_owned()),
        ..Install::default()
    };
    let objects = install.managed().unwrap();
    apply(&cluster, &list(&objects, |_| true));
    let kubeconfig = cluster.kubeconfig_for(NAMESPACE, "aad-pod-id-nmi-service-account").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let agent = client::connect(Some(&kubeconfig), "test").await.unwrap();
        remembers(&cluster, &agent, &list(&objects, |object| object["kind"] == "DaemonSet")).await;
        untaints(&cluster, &agent).await;
    });
}

async fn remembers(cluster: &ControlPlane, agent: &Client, daemon_set: &Value) {
    let id = ObjectRef::new(NAMESPACE, "nmi");
    let mut memory = Memory { changes: watch::daemon_set(agent.clone(), &id), seen: Seen::default() };
    let delete = |cascade: &str| {
        let cascade = format!("--cascade={cascade}");
        cluster
            .kubectl(&["delete", "--namespace", NAMESPACE, "daemonset/nmi", &cascade, "--wait=false"])
            .ok();
    };
    memory.until("it is there", Seen::Wanted).await;
    delete("orphan");
    memory.until("deleted without its pods", Seen::Abandoned).await;
    gone(agent, &id).await;
    apply(cluster, daemon_set);
    memory.until("made again", Seen::Wanted).await;
    assert_eq!(memory.seen.farewell(), Farewell::Close);
    delete("foreground");
    memory.until("deleted, pods first", Seen::Deleted).await;
    gone(agent, &id).await;
    apply(cluster, daemon_set);
    memory.until("made again", Seen::Wanted).await;
    delete("background");
    memory.until("deleted", Seen::Deleted).await;
    assert_eq!(memory.seen.farewell(), Farewell::Remove);

    let foreign = lookup::daemon_set(agent, &ObjectRef::new(NAMESPACE, "kube-proxy"), PATIENCE).await;
    assert!(matches!(foreign, Err(CallError::Forbidden { .. })), "{foreign:?}");
}

/// Waits until the API itself, asked as at the agent's end, no longer has it.
async fn gone(agent: &Client, id: &ObjectRef) {
    let asking = async {
        while lookup::daemon_set(agent, id, PATIENCE).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
}

async fn untaints(cluster: &ControlPlane, agent: &Client) {
    let other = json!({"key": "example.com/reserved", "effect": "NoSchedule"});
    apply(
        cluster,
        &json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "fresh"},
            "spec": {"taints": [other, {"key": TAINT, "effect": "NoSchedule"}]}
        }),
    );
    let node = NodeName::new("fresh");
    // The control plane writes to new nodes, too: what the agent does about that is to try again.
    let removed = async {
        loop {
            match taint::remove(agent, &node, TAINT).await {
                Err(CallError::Conflict { .. }) => {}
                outcome => return outcome.unwrap(),
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE, removed).await.unwrap());
    assert!(!taint::remove(agent, &node, TAINT).await.unwrap());
    let taints = cluster.kubectl(&["get", "node/fresh", "--output=jsonpath={.spec.taints[*].key}"]).ok();
    assert!(taints.contains("example.com/reserved") && !taints.contains(TAINT), "{taints}");
}

fn list(objects: &[Value], wanted: impl Fn(&Value) -> bool) -> Value {
    let items: Vec<&Value> = objects.iter().filter(|object| wanted(object)).collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

fn apply(cluster: &ControlPlane, object: &Value) {
    cluster.kubectl_with(&["apply", "--filename=-"], &object.to_string()).ok();
}
