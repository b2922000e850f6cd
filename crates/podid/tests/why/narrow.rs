//! Does somebody who may see little get an answer that says what was not looked at?

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::case::until;
use crate::cluster::Cluster;

/// A developer who may read what is in one namespace.
pub(crate) fn check(cluster: &Cluster) {
    let script = r"kubectl create namespace $NS; well; kubectl create serviceaccount dev -n $NS
        kubectl create role dev -n $NS --verb=get,list --resource=pods,azureidentities.aadpodidentity.k8s.io
        kubectl create role dev2 -n $NS --verb=get,list --resource=azureidentitybindings.aadpodidentity.k8s.io,azurepodidentityexceptions.aadpodidentity.k8s.io
        kubectl create rolebinding dev -n $NS --role=dev --serviceaccount=$NS:dev
        kubectl create rolebinding dev2 -n $NS --role=dev2 --serviceaccount=$NS:dev";
    cluster.bash("narrow", script).unwrap_or_else(|said| panic!("{said}"));
    let kubeconfig = cluster.plane.kubeconfig_for("narrow", "dev").unwrap();
    let part = until(|| {
        let (exit, answer) = why(&kubeconfig, "web");
        (exit == Some(3) && answer["verdict"] == "unknown")
            .then(|| answer.clone())
            .ok_or(format!("{exit:?} {answer:#}"))
    });
    let part = part.unwrap_or_else(|problem| panic!("{problem}"));
    let state = |step: &str| {
        let links = part["chain"].as_array().unwrap();
        links.iter().find(|link| link["step"] == step).map(|link| link["state"].as_str().unwrap().to_owned())
    };
    for step in ["definitions", "label", "binding", "identity", "exception", "pod"] {
        assert_eq!(state(step).as_deref(), Some("holds"), "{step}: {part:#}");
    }
    for step in ["node", "nmi"] {
        assert_eq!(state(step).as_deref(), Some("unseen"), "{step}: {part:#}");
    }
    assert!(part.to_string().contains("you may not list nodes"), "{part:#}");

    // What is broken within sight is found all the same.
    cluster.bash("narrow", "kubectl label pod web -n $NS aadpodidbinding=none --overwrite").unwrap();
    let (exit, answer) = why(&kubeconfig, "web");
    assert_eq!((exit, &answer["code"]), (Some(1), &Value::from("no-binding")), "{answer:#}");

    let nobody = podid(&kubeconfig, &["why", "nobody", "-n", "narrow"]);
    assert_eq!(nobody.0, Some(3));
    assert!(nobody.1.contains("Pod narrow/nobody does not exist"), "{}", nobody.1);
    assert_eq!(podid(&kubeconfig, &["why", "svc/web"]).0, Some(2));
    assert_eq!(podid(Path::new("/nowhere/config"), &["doctor"]).0, Some(3));
}

fn why(kubeconfig: &Path, pod: &str) -> (Option<i32>, Value) {
    let (exit, said) = podid(kubeconfig, &["why", pod, "-n", "narrow", "--no-azure", "-o", "json"]);
    (exit, serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

fn podid(kubeconfig: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
    let output = command.args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}
