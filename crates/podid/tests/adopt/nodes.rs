//! Do nodes change their agent one after the other, never with two, and back? By the commands of the page.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::original::Way;
use crate::{Cluster, eventually};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];
const IMAGE: (&str, &str) = ("IMAGE", "r.example/podid");
const TAG: (&str, &str) = ("TAG", "0.1.0");

/// Hears of every change of every pod, so that no moment is missed.
struct Witness {
    watch: Child,
    reader: JoinHandle<Vec<String>>,
}

// === impl Witness ===

impl Witness {
    fn start(cluster: &Cluster) -> Self {
        let line =
            "{.type} {.object.metadata.uid} {.object.spec.hostNetwork} {.object.spec.nodeName}{\"\\n\"}";
        let mut watch = Command::new(&cluster.programs.kubectl)
            .args(["get", "pods", "--all-namespaces", "--watch", "--output-watch-events"])
            .arg(format!("--output=jsonpath={line}"))
            .env("KUBECONFIG", cluster.plane.admin_kubeconfig())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        Self { watch, reader }
    }

    /// The moments at which a node had two agents, of how many changes of agents.
    fn saw(mut self) -> (Vec<String>, usize) {
        self.watch.kill().unwrap();
        self.watch.wait().unwrap();
        let lines = self.reader.join().unwrap();
        let mut present = BTreeMap::new();
        let mut doubles = Vec::new();
        let mut changes = 0;
        for line in &lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [event, uid, "true", node] = words.as_slice() else { continue };
            changes += 1;
            if *event == "DELETED" {
                present.remove(uid);
            } else {
                present.insert(*uid, *node);
            }
            let here = present.values().filter(|there| *there == node).count();
            if here > 1 {
                doubles.push(line.clone());
            }
        }
        (doubles, changes)
    }
}

/// Node and namespace of each agent, also of those that are ending.
fn agents_in(list: &Value) -> Vec<(String, String)> {
    let pods = list["items"].as_array().into_iter().flatten();
    let agents = pods.filter(|pod| pod["spec"]["hostNetwork"] == true && pod["spec"]["nodeName"].is_string());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    agents.map(|pod| (text(&pod["spec"]["nodeName"]), text(&pod["metadata"]["namespace"]))).collect()
}

/// The namespaces of the agents, node by node; `-` for a node without one.
fn agents(cluster: &Cluster) -> Vec<String> {
    let found = agents_in(&cluster.get(&["pods", "--all-namespaces"]));
    let of = |node: &&str| {
        let mine: Vec<_> =
            found.iter().filter(|(on, _)| on == node).map(|(_, owner)| owner.as_str()).collect();
        if mine.is_empty() { "-".to_owned() } else { mine.join("+") }
    };
    NODES.iter().map(of).collect()
}

fn story(test: &str, way: Way, names: &str, remove: &str) {
    let Some(cluster) = Cluster::start(test) else { return };
    let _kubelets = cluster.plane.kubelets(&NODES).unwrap();
    cluster.apply(&way.workloads(&[]));
    let old = way.namespace();
    eventually("the original runs", || agents(&cluster) == [old; 3]);
    let on = |node: &'static str| [IMAGE, TAG, ("NODE", node)];

    // Nothing moves yet, and podid's agents have no node.
    let pods_before = names_of(&cluster, old);
    cluster.follow(&on("none"), &[names, "backup", "make-way", "install"]);
    let ready = ["--namespace=podid", "rollout", "status", "deployment/podid-mic", "--timeout=60s"];
    cluster.plane.kubectl(&ready).ok();
    assert_eq!(agents(&cluster), [old; 3]);
    assert_eq!(names_of(&cluster, old), pods_before, "a pod of the original was restarted");

    let witness = Witness::start(&cluster);
    cluster.follow(&on("none"), &[names, "stop-old-controller"]);
    eventually("the old controller is gone", || names_of(&cluster, old).len() == 3);
    cluster.follow(&on("node-1"), &[names, "hand-over"]);
    assert_eq!(agents(&cluster), ["podid", old, old]);
    cluster.follow(&on("node-2"), &[names, "hand-over"]);
    assert_eq!(agents(&cluster), ["podid", "podid", old]);

    // The first one goes back and comes again.
    cluster.follow(&on("node-1"), &[names, "hand-back"]);
    assert_eq!(agents(&cluster), ["-", "podid", old]);
    let cleaned = cluster.follow(&on("node-1"), &["clean-up-node"]);
    assert!(cleaned.contains("job.batch/clean-up-node-1 condition met"), "{cleaned}");
    cluster.follow(&on("node-1"), &["old-agent-back"]);
    eventually("the old agent is back", || agents(&cluster) == [old, "podid", old]);
    cluster.follow(&on("none"), &[names, "old-controller-back"]);
    eventually("the old controller is back", || names_of(&cluster, old).len() == 4);
    cluster.follow(&on("none"), &[names, "stop-old-controller"]);
    cluster.plane.kubectl(&["--namespace=podid", "scale", "deployment", "podid-mic", "--replicas=2"]).ok();

    // All the way.
    for node in ["node-1", "node-3"] {
        cluster.follow(&on(node), &[names, "hand-over"]);
    }
    assert_eq!(agents(&cluster), ["podid"; 3]);
    cluster.follow(&on("none"), &[names, "every-node"]);
    eventually("podid's agents have every node", || {
        let set = cluster.get(&["daemonset", "podid-nmi", "--namespace=podid"]);
        set["status"]["observedGeneration"] == set["metadata"]["generation"]
            && set["status"]["numberReady"] == 3
            && set["status"]["updatedNumberScheduled"] == 3
    });
    assert_eq!(agents(&cluster), ["podid"; 3]);
    let (doubles, changes) = witness.saw();
    assert!(doubles.is_empty(), "a node had two agents: {doubles:?}");
    assert!(changes > 20, "the witness saw {changes} changes only");
    let selector = cluster.get(&["daemonset", "podid-nmi", "--namespace=podid"]);
    assert_eq!(
        selector["spec"]["template"]["spec"]["nodeSelector"],
        serde_json::json!({"kubernetes.io/os": "linux"})
    );

    cluster.follow(&on("none"), &[names, remove]);
    eventually("nothing of the original runs", || names_of(&cluster, old).is_empty());
    let roles = cluster.plane.kubectl(&["get", "clusterrole,clusterrolebinding", "--output=name"]).ok();
    assert!(!roles.contains("aad-pod-id"), "{roles}");
    // A new node has podid's agent and no label.
    let _more = cluster.plane.kubelets(&["node-4"]).unwrap();
    eventually("the new node has an agent", || {
        agents_in(&cluster.get(&["pods", "--all-namespaces"]))
            .contains(&("node-4".to_owned(), "podid".to_owned()))
    });
}

/// The pods of a namespace that are not ending.
fn names_of(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let list = cluster.get(&["pods", &format!("--namespace={namespace}")]);
    let pods = list["items"].as_array().unwrap().iter();
    let staying = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    staying.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nodes_of_an_installation_by_kubectl_change_their_agent_by_the_page_s_commands_and_back() {
    let test = "nodes_of_an_installation_by_kubectl_change_their_agent_by_the_page_s_commands_and_back";
    story(test, Way::Kubectl, "names-kubectl", "remove-kubectl");
}

#[test]
fn nodes_of_an_installation_by_helm_change_their_agent_by_the_page_s_commands_and_back() {
    let test = "nodes_of_an_installation_by_helm_change_their_agent_by_the_page_s_commands_and_back";
    story(test, Way::Helm, "names-helm", "remove-helm");
}
