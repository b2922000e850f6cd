//! Does the lab use only a cluster that it may use, and say in one line why it does not use another?

use nix::sys::signal::Signal;
use serde_json::json;

use crate::lab::{Lab, NAMESPACE, eventually, refused};
use crate::server::{Server, is_there, powerless, real};

#[test]
fn a_cluster_that_has_anything_of_others_is_left_alone() {
    if !is_there("a_cluster_that_has_anything_of_others_is_left_alone") {
        return;
    }
    let admin = real().admin_kubeconfig();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "somebody-s"}}).to_string();
    let refusal = Lab::alone(|| {
        real().kubectl_with(&["create", "-f", "-"], &node).ok();
        let refusal = refused(&["--kubeconfig", admin.to_str().unwrap()]);
        real().kubectl(&["delete", "node", "somebody-s"]).ok();
        Server::Real.is_clean();
        refusal
    });
    assert!(refusal.contains("somebody-s") && refusal.contains("Nothing was changed"), "{refusal}");
}

#[test]
fn a_kubeconfig_that_is_of_no_use_is_refused_in_one_line() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    let refusal = refused(&["--kubeconfig", missing.to_str().unwrap()]);
    assert!(refusal.contains("missing") && refusal.contains("No such file"), "{refusal}");

    let nobody = place.path().join("nobody");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: \"https://127.0.0.1:{port}\"}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\n"
    );
    std::fs::write(&nobody, text).unwrap();
    let refusal = refused(&["--kubeconfig", nobody.to_str().unwrap()]);
    assert!(refusal.contains("cannot reach the API server https://127.0.0.1:"), "{refusal}");

    if is_there("a_kubeconfig_that_is_of_no_use_is_refused_in_one_line") {
        let powerless = powerless(place.path());
        let refusal = Lab::alone(|| refused(&["--kubeconfig", powerless.to_str().unwrap()]));
        assert!(refusal.contains("cluster-admin"), "{refusal}");
    }
}

#[test]
fn two_labs_do_not_share_a_cluster_and_what_a_killed_one_left_goes_with_the_next() {
    if !is_there("two_labs_do_not_share_a_cluster_and_what_a_killed_one_left_goes_with_the_next") {
        return;
    }
    let admin = real().admin_kubeconfig();
    let lab = Lab::up(Server::Real, &[]);
    let refusal = refused(&["--kubeconfig", admin.to_str().unwrap()]);
    assert!(refusal.contains("another lab uses this cluster"), "{refusal}");

    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    eventually("there is an assignment", || !lab.assignments().is_empty());
    let [_, inside] = lab.processes();
    lab.end(inside, Signal::SIGKILL);
    let left = real().kubectl(&["get", "nodes,azureassignedidentities", "-A", "-o", "name"]).ok();
    assert!(left.contains("node/lab-vmss000000") && left.contains("azureassignedidentity"), "{left}");

    let next = Lab::up(Server::Real, &[]);
    assert!(next.assignments().is_empty(), "an assignment of the killed lab is still there");
    next.stop();
}

/// Whoever has only an address, a token or no trust in certificates gets in as well.
#[test]
fn a_token_a_host_name_and_an_unchecked_certificate_work_like_a_client_certificate() {
    if !is_there("a_token_a_host_name_and_an_unchecked_certificate_work_like_a_client_certificate") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let account = ["create", "serviceaccount", "admin", "--namespace=default"];
    let _ = real().kubectl(&account);
    let binding = [
        "create",
        "clusterrolebinding",
        "admin",
        "--clusterrole=cluster-admin",
        "--serviceaccount=default:admin",
    ];
    let _ = real().kubectl(&binding);
    let token = real().kubectl(&["create", "token", "admin", "--namespace=default"]).ok();
    let kubeconfig = place.path().join("kubeconfig");
    let server = real().url().replace("127.0.0.1", "localhost");
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: \"{server}\", insecure-skip-tls-verify: true}}}}]\n\
         users: [{{name: u, user: {{token: {}}}}}]\n",
        token.trim()
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let arguments = ["--mode", "managed", "--kubeconfig", kubeconfig.to_str().unwrap()];
    let output = crate::lab::demo(crate::lab::podid(), Server::Embedded, &arguments);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    Lab::alone(|| Server::Real.is_clean());
}
