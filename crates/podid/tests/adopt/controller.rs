//! Does podid's controller wait for the old one, take its records over as they are, and give them back?

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::old_controller::OldController;
use crate::original::{is_content_with, namespace, object, pod, record};
use crate::simulated_azure::SimulatedAzure;
use crate::{Cluster, always, eventually, root};

/// The account that podid's chart gives its controller.
const ACCOUNT: &str = "system:serviceaccount:podid:podid-mic";
/// An account of the original's controller that the chart was told of, and one that nobody knows.
const OLD_ACCOUNT: &str = "system:serviceaccount:default:aad-pod-id-mic-service-account";
const STRANGER: &str = "system:serviceaccount:default:stranger";

/// The shipped controller, until it is stopped.
struct Controller {
    process: Child,
    probes: u16,
}

// === impl Controller ===

impl Controller {
    /// Starts it with the rights of its service account and the chart's defaults.
    fn start(cluster: &Cluster, azure: &SimulatedAzure) -> Self {
        let (probes, metrics) = (free_port(), free_port());
        let kubeconfig = cluster.plane.kubeconfig_for("podid", "podid-mic").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
        command.args(["mic", "--leader-election-instance=podid", "--leader-election-duration=4s"]);
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.arg(format!("--http-probe-port={probes}")).arg(format!("--prometheus-port={metrics}"));
        command.env("MIC_POD_NAMESPACE", "podid").env("FORCENAMESPACED", "true");
        azure.introduce(&mut command);
        Self { process: command.spawn().unwrap(), probes }
    }

    /// What the original's probe says of one that leads.
    fn is_active(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.probes)) else { return false };
        let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.ends_with("\r\n\r\nActive")
    }

    /// Stops it as a rollout does.
    fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Nodes of the scale set, an identity with its binding, and two pods with the records that the original wrote.
fn planted(cluster: &Cluster, azure: &SimulatedAzure) -> [Value; 2] {
    let nodes = [("node-1", 0), ("node-2", 1)].map(|(name, instance)| {
        let id = format!("azure://{}/virtualMachines/{instance}", azure.scale_set.as_str());
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"providerID": id}})
    });
    let spec =
        json!({"type": 0, "resourceID": azure.identity.id.as_str(), "clientID": azure.identity.client_id});
    let identity = object("AzureIdentity", "shop", "app", &spec);
    let binding =
        object("AzureIdentityBinding", "shop", "app", &json!({"azureIdentity": "app", "selector": "web"}));
    cluster.apply(&nodes);
    cluster.apply(&[namespace("shop"), namespace("podid"), identity, binding]);
    let live =
        ["azureidentity", "azureidentitybinding"].map(|kind| cluster.get(&[kind, "app", "--namespace=shop"]));
    for (name, node) in [("web-1", "node-1"), ("web-2", "node-2")] {
        let pod = pod("shop", name, "web", node);
        let record = record(&pod, node, &live[0], &live[1]);
        cluster.apply(&[pod, record]);
    }
    live
}

fn install(cluster: &Cluster) {
    let chart = root().join("charts/podid");
    let additional = format!("--set=policies.assignmentWriters.additional={{{OLD_ACCOUNT}}}");
    let arguments = ["install", "podid", chart.to_str().unwrap(), "--namespace=podid"];
    let values = [
        "--set=image.repository=r.example/podid",
        "--set=nmi.nodeSelector.podid\\.dev/agent=podid",
        &additional,
    ];
    cluster.plane.helm(&[&arguments as &[_], &values].concat()).ok();
}

/// Changes the state of a record and back as this user, who has all rights of RBAC.
fn may_write(cluster: &Cluster, user: &str) -> bool {
    let patch = |state: &str| {
        let patch = json!([{"op": "replace", "path": "/status/status", "value": state}]).to_string();
        let arguments =
            ["patch", "azureassignedidentity", "web-1-shop-app", "--namespace=default", "--type=json"];
        let who = [&format!("--as={user}"), "--as-group=system:masters", "--patch", &patch];
        cluster.plane.kubectl(&[&arguments as &[_], &who].concat()).success()
    };
    patch("Created") && patch("Assigned")
}

#[test]
fn the_controller_waits_for_the_old_one_takes_its_records_over_as_they_are_and_gives_them_back() {
    let test = "the_controller_waits_for_the_old_one_takes_its_records_over_as_they_are_and_gives_them_back";
    let Some(cluster) = Cluster::start(test) else { return };
    let mut azure = SimulatedAzure::start();
    let [identity, binding] = planted(&cluster, &azure);
    let _kubelets = cluster.plane.kubelets(&["node-1", "node-2"]).unwrap();
    eventually("the pods run", || {
        let pods = cluster.get(&["pods", "--namespace=shop"]);
        pods["items"].as_array().unwrap().iter().all(|pod| pod["status"]["phase"] == "Running")
    });
    install(&cluster);
    let admin = cluster.plane.admin_kubeconfig();

    // Both are there; the old one renews, so podid's stays away from records and from ARM.
    let old = OldController::start(&admin, "old-mic");
    eventually("the old controller leads", || old.leads());
    let before = cluster.versions();
    assert_eq!(before.len(), 2);
    let controller = Controller::start(&cluster, &azure);
    always("the old controller leads alone", Duration::from_secs(10), || {
        old.leads() && !controller.is_active()
    });
    assert_eq!(azure.asked(), [""; 0]);

    // The old one stops without a farewell, as its Deployment does when it is scaled to nothing.
    drop(old);
    eventually("podid's controller leads", || controller.is_active());
    eventually("it wrote down what it took over", || {
        let ledger = cluster.plane.kubectl(&[
            "get",
            "configmap",
            "podid-ownership",
            "--namespace=podid",
            "--output=yaml",
        ]);
        ledger.success() && ledger.stdout.contains("app")
    });
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(cluster.versions(), before, "a record was rewritten");
    let asked = azure.asked();
    assert!(!asked.is_empty() && asked.iter().all(|what| what.starts_with("GET ")), "{asked:?}");
    assert_eq!(writes(&cluster), [""; 0]);

    // What it writes now is what the original would have written, name, label, finalizer and copies included.
    cluster.apply(&[pod("shop", "web-3", "web", "node-1")]);
    eventually("the new pod is assigned", || {
        cluster.versions().len() == 3 && states(&cluster) == ["Assigned"; 3]
    });
    let list = cluster.get(&["azureassignedidentities", "--all-namespaces"]);
    for one in list["items"].as_array().unwrap() {
        let node = if one["spec"]["pod"] == "web-2" { "node-2" } else { "node-1" };
        assert!(is_content_with(one, node, &identity, &binding), "the original would rewrite {one:#}");
        let of_the_original = record(&pod("shop", "x", "web", node), node, &identity, &binding);
        let mut missing: Vec<_> =
            paths(&of_the_original).into_iter().filter(|path| !paths(one).contains(path)).collect();
        // The original's copies end in an empty status, which says nothing.
        missing.retain(|path| !path.starts_with("/spec/") || !path.contains("Ref/status"));
        assert_eq!(missing, [""; 0]);
        assert_eq!(one["metadata"]["finalizers"], of_the_original["metadata"]["finalizers"]);
    }

    // Whom the chart was told of may write records, too; others may not, whatever their rights.
    assert!(may_write(&cluster, OLD_ACCOUNT));
    assert!(!may_write(&cluster, STRANGER));

    // Back: the old one cannot lead while podid's does, and does as soon as that has gone.
    let before: Vec<_> = cluster.versions();
    let old = OldController::start(&admin, "old-mic-2");
    always("podid's controller leads alone", Duration::from_secs(8), || {
        !old.leads() && controller.is_active()
    });
    controller.stop();
    eventually("the old controller leads again", || old.leads());
    assert_eq!(cluster.versions(), before, "the way back rewrote a record");
    assert_eq!(azure.asked().iter().filter(|what| what.starts_with("PATCH")).count(), 0);
}

/// The states of all records.
fn states(cluster: &Cluster) -> Vec<String> {
    let list = cluster.get(&["azureassignedidentities", "--all-namespaces"]);
    let records = list["items"].as_array().unwrap().iter();
    records.map(|one| one["status"]["status"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What podid's controller wrote to records, by the API server's own log.
fn writes(cluster: &Cluster) -> Vec<String> {
    let events = cluster.plane.audit().unwrap().into_iter();
    let by_podid =
        events.filter(|event| event.user == ACCOUNT && event.resource == "azureassignedidentities");
    let reads = ["list", "watch", "get"];
    by_podid
        .filter(|event| !reads.contains(&&*event.verb))
        .map(|event| format!("{} {}", event.verb, event.name))
        .collect()
}

/// The paths of all keys of an object.
fn paths(value: &Value) -> Vec<String> {
    let Some(map) = value.as_object() else { return Vec::new() };
    let below = |(key, value): (&String, &Value)| {
        let mut all = vec![format!("/{key}")];
        all.extend(paths(value).into_iter().map(|path| format!("/{key}{path}")));
        all
    };
    map.iter().flat_map(below).collect()
}
