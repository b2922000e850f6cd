//! Do the commands of the add-on give a pod its token, and take it back?

use std::process::Output;

use podid_core::assign::Ledger;
use podid_core::ids::{ComputeId, IdentityResourceId};
use podid_core::ownership;
use serde_json::{Value, json};

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually, example};
use crate::server::{Server, on_both_servers, powerless};

on_both_servers!(
    in_standard_mode_a_pod_gets_a_token_after_add_and_none_after_delete,
    in_managed_mode_add_and_delete_put_the_identity_on_the_nodes_and_off,
);

const NAME: &str = "my-pod-identity";

/// A command that must succeed; what it printed.
fn done(lab: &Lab, arguments: &[&str]) -> String {
    let output = lab.command(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn add<'a>(id: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let add = ["add", "--namespace", NAMESPACE, "--name", NAME, "--identity-resource-id", id];
    [&add[..], more].concat()
}

/// Whether the pod gets a token within three seconds; one that is held gets none.
fn is_served_soon(lab: &Lab) -> bool {
    let mut asking = lab.exec(NAMESPACE, "web");
    asking.args(["timeout", "3"]).arg(example("get")).args(["169.254.169.254:80", TOKEN, METADATA]);
    asking.output().unwrap().stdout.starts_with(b"HTTP/1.1 200")
}

fn state(lab: &Lab) -> String {
    let listed: Value = serde_json::from_str(&done(lab, &["list", "-o", "json"])).unwrap();
    listed[0]["provisioningState"].as_str().unwrap_or_default().to_owned()
}

/// The tutorial's commands, and nothing but an owner's login.
fn in_standard_mode_a_pod_gets_a_token_after_add_and_none_after_delete(on: Server) {
    let lab = Lab::up(on, &[]);
    let (id, group, cluster) =
        (lab.variable("IDENTITY_RESOURCE_ID"), lab.variable("MY_RESOURCE_GROUP"), lab.variable("MY_CLUSTER"));
    let of_cluster = ["--resource-group", &group, "--cluster-name", &cluster];
    let planned = done(&lab, &add(&id, &["--dry-run"]));
    assert!(planned.contains(&format!("would create AzureIdentity {NAMESPACE}/{NAME}\n")), "{planned}");
    assert_eq!(done(&lab, &["list", "-o", "name"]), "", "a dry run wrote");
    let added = done(&lab, &add(&id, &of_cluster));
    assert!(added.contains("Assigned"), "{added}");
    let again = lab.command(&add(&id, &[]));
    assert!(text(&again).contains("it is as it should be"), "{}", text(&again));

    if on == Server::Real {
        without_rights_the_command_says_whom_to_ask(&lab, &id);
    }

    lab.pod(NAMESPACE, "web", NAME);
    let answer = lab.ask(NAMESPACE, "web", TOKEN, &[METADATA]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    eventually("it is assigned", || state(&lab) == "Assigned");

    let other = id
        .replace("application-identity", "podid-lab-agentpool")
        .replace("myIdentityResourceGroup", "MC_podid-lab");
    let taken = lab.command(&add(&other, &[]));
    assert_eq!(taken.status.code(), Some(1), "{}", text(&taken));
    assert!(text(&taken).contains("already exists"), "{}", text(&taken));

    let stays = done(&lab, &["delete", "--namespace", NAMESPACE, "--name", NAME]);
    assert!(stays.contains("kubectl delete namespace my-app"), "{stays}");
    assert!(lab.assignments().is_empty(), "MIC's record is still there");
    assert!(!is_served_soon(&lab), "a token after the delete");
    let gone = lab.command(&["delete", "--namespace", NAMESPACE, "--name", NAME]);
    assert_eq!(gone.status.code(), Some(1), "{}", text(&gone));
    lab.stop();
}

fn without_rights_the_command_says_whom_to_ask(lab: &Lab, id: &str) {
    let folder = tempfile::tempdir().unwrap();
    let powerless = powerless(folder.path());
    let kubeconfig = ["--kubeconfig", powerless.to_str().unwrap()];
    let denied = lab.command(&add(id, &kubeconfig));
    assert_eq!(denied.status.code(), Some(1), "{}", text(&denied));
    assert!(
        text(&denied).contains("you may not") && text(&denied).contains("ask whoever"),
        "{}",
        text(&denied)
    );
}

fn in_managed_mode_add_and_delete_put_the_identity_on_the_nodes_and_off(on: Server) {
    let lab = Lab::up(on, &["--mode", "managed"]);
    let id = lab.variable("IDENTITY_RESOURCE_ID");
    // The lab has put it there already; from here on podid did.
    let target = ComputeId::scale_set(&lab.variable("SUBSCRIPTION_ID"), "MC_podid-lab", "lab-vmss");
    let ledger = Ledger { put: [IdentityResourceId::parse(&id).unwrap()].into(), ..Ledger::default() };
    lab.create(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": ownership::NAME, "namespace": "kube-system"},
        "data": {ownership::key(&target): ownership::render(&target, &ledger)},
    }))
    .unwrap();
    lab.pod(NAMESPACE, "web", NAME);
    let is_served = || lab.ask(NAMESPACE, "web", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200");
    let delete = ["delete", "--namespace", NAMESPACE, "--name", NAME];

    done(&lab, &add(&id, &[]));
    eventually("the pod has a token", is_served);
    done(&lab, &delete);
    assert_eq!(lab.lines_with("-application-identity").len(), 1, "it is still on the scale set");

    let put = lab.command(&add(&id, &[]));
    assert!(text(&put).contains("put application-identity on lab-vmss"), "{}", text(&put));
    eventually("the pod has a token again", is_served);
    assert_eq!(state(&lab), "Assigned");
    let stays = done(&lab, &delete);
    assert!(!stays.contains("podid did not put it there"), "{stays}");
    assert!(!is_served_soon(&lab), "a token after the delete");
    lab.stop();
}
