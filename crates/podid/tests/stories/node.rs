//! Are pods served on every kind of node, and is what the node keeps for itself out of their reach?

use serde_json::json;

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually, example};
use crate::server::Server;

/// The nodes with their address and the next hop of their pods: routed links first, then a bridge.
const NODES: [(&str, &str, &str); 2] =
    [("lab-vmss000000", "10.240.0.1", "169.254.1.1"), ("lab-vmss000001", "10.240.0.2", "10.244.2.1")];
/// Port of the listener that no pod should reach.
const PORT: &str = "9099";

#[test]
fn routed_and_bridged_nodes_serve_tokens_and_keep_their_own_loopback_to_themselves() {
    let lab = Lab::up(Server::Embedded, &[]);
    lab.bind(NAMESPACE, "app");
    let (listen, own) = (example("listen"), format!("127.0.0.1:{PORT}"));
    for (node, address, next_hop) in NODES {
        let (host, pod) = (format!("host-{node}"), format!("pod-{node}"));
        let on_the_node = json!({"nodeName": node, "hostNetwork": true});
        lab.pod_with(NAMESPACE, &host, "none", &[listen.to_str().unwrap(), &own], &on_the_node);
        lab.pod_with(NAMESPACE, &pod, "app", &["sleep", "100000"], &json!({"nodeName": node}));

        let answer = lab.ask(NAMESPACE, &pod, TOKEN, &[METADATA]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{node}: {}", answer.lines().next().unwrap_or("nothing"));

        eventually("the node itself reaches its listener", || lab.knock(NAMESPACE, &host, &own) == "reached");
        for through in ["127.0.0.1", address, next_hop, "169.254.169.254"] {
            let got = lab.knock(NAMESPACE, &pod, &format!("{through}:{PORT}"));
            assert!(!got.contains("reached"), "{node}: a pod reached the node's 127.0.0.1 through {through}");
        }

        // With it, packets for 127.0.0.1 that a pod sends over its link would be accepted.
        let mut look = lab.exec(NAMESPACE, &host);
        look.args(["sh", "-c", "cat /proc/sys/net/ipv4/conf/*/route_localnet"]);
        let settings = String::from_utf8(look.output().unwrap().stdout).unwrap();
        assert!(!settings.is_empty() && settings.lines().all(|value| value == "0"), "{node}: {settings}");
    }
    lab.stop();
}
