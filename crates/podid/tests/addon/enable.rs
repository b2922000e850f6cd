//! Is podid turned on and off as `az aks update` did it, and from any point?

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use podid_lab::azure::{ManagedCluster, Role};
use serde_json::json;

use crate::{Ended, World, eventually};

const CLUSTER: [&str; 4] = ["--resource-group", "myResourceGroup", "--name", "myAKSCluster"];
const IMAGE: &str = "registry.example/podid:1";

/// The kinds whose objects podid makes.
const KINDS: &str =
    "daemonsets,deployments,serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,configmaps";

fn enable(more: &[&str]) -> Vec<String> {
    let all = [&["enable"], &CLUSTER[..], &["--image", IMAGE], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// Everything that podid put into the cluster and its kinds.
fn there(world: &World) -> Vec<String> {
    let marked = world.get(&[KINDS, "--all-namespaces", "--selector=app.kubernetes.io/managed-by=podid"]);
    let kinds = world.get(&["customresourcedefinitions"]);
    let ours = kinds.into_iter().filter(|kind| kind["spec"]["group"] == "aadpodidentity.k8s.io");
    marked
        .into_iter()
        .chain(ours)
        .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
        .collect()
}

impl World {
    fn enable(&self, more: &[&str]) -> Ended {
        let arguments = enable(more);
        self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn disable(&self, more: &[&str]) -> Ended {
        self.run(&[&["disable"], &CLUSTER[..], more].concat())
    }

    /// Runs podid until it says `line` on its standard error, and kills it then.
    fn kill_at(&self, arguments: &[&str], line: &str) {
        let mut child = self.podid(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|said| said.contains(line)), "it never said {line}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn identity(&self, name: &str) {
        let object = json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity",
            "metadata": {"name": name, "namespace": "default", "labels": {"app.kubernetes.io/managed-by": "podid"}},
            "spec": {"type": 0, "resourceID": self.azure.application.id.as_str(),
                     "clientID": self.azure.application.client_id},
        });
        self.cluster.kubectl_with(&["create", "--filename=-"], &object.to_string()).ok();
    }
}

#[test]
fn podid_is_turned_on_and_off_and_nothing_stays() {
    let Some(world) = World::new("podid is turned on and off and nothing stays") else { return };
    let before = there(&world);
    assert!(before.is_empty(), "{before:?}");

    let planned = world.enable(&["--dry-run"]).ok();
    assert!(planned.stdout.contains("would apply DaemonSet kube-system/nmi"), "{planned:?}");
    assert!(there(&world).is_empty(), "a dry run changes nothing");

    let on = world.enable(&[]).ok();
    assert!(on.stderr.contains("podid is on, in managed mode, on 2 nodes"), "{on:?}");
    let exception =
        &world.get(&["azurepodidentityexceptions", "aks-addon-exception", "--namespace=kube-system"])[0];
    assert_eq!(exception["spec"]["podLabels"], json!({"kubernetes.azure.com/managedby": "aks"}));
    let agent = || world.get(&["daemonset", "nmi", "--namespace=kube-system"]).remove(0);
    let first = agent();
    let container = &first["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], IMAGE);
    assert!(container["args"].to_string().contains("--operation-mode=managed"), "{container}");

    // Again, without naming cluster or image: it is as it should be.
    let again = world.run(&["enable"]).ok();
    assert!(again.stderr.contains("apply DaemonSet kube-system/nmi: it is as it should be"), "{again:?}");
    assert_eq!(agent()["metadata"]["generation"], first["metadata"]["generation"]);

    world.enable(&["--mode", "standard"]).refused(1, &["podid is on in managed mode"]);

    world.identity("in-use");
    world.disable(&[]).refused(1, &["podid stays on", "default/in-use", "--delete-identities"]);
    assert_eq!(world.get(&["azureidentities", "--all-namespaces"]).len(), 1);
    let off = world.disable(&["--delete-identities"]).ok();
    assert!(off.stdout.contains("stays: identities in Azure"), "{off:?}");
    assert_eq!(there(&world), before);
    let none = world.disable(&[]).ok();
    assert!(none.stderr.contains("podid was not on"), "{none:?}");
}

#[test]
fn a_command_that_was_killed_is_run_again_and_goes_on() {
    let Some(world) = World::new("a command that was killed is run again and goes on") else { return };
    let on = enable(&[]);
    let on: Vec<&str> = on.iter().map(String::as_str).collect();
    for line in ["define azureidentitybindings", "ServiceAccount kube-system", "DaemonSet kube-system/nmi"] {
        world.kill_at(&on, line);
    }
    world.enable(&[]).ok();
    let off = [&["disable"], &CLUSTER[..]].concat();
    for line in
        ["delete DaemonSet kube-system/nmi", "delete ClusterRole ", "azureidentities.aadpodidentity.k8s.io"]
    {
        world.kill_at(&off, line);
    }
    world.disable(&[]).ok();
    assert!(there(&world).is_empty(), "{:?}", there(&world));
}

#[test]
fn a_cluster_that_is_none_for_podid_is_refused_with_what_to_do() {
    let Some(world) = World::new("a cluster that is none for podid is refused") else { return };
    let azure = &world.azure;
    let change =
        |to: fn(&mut ManagedCluster)| azure.azure.change_managed_cluster(&azure.cluster, to).unwrap();

    change(|cluster| cluster.network_plugin = "kubenet".to_owned());
    let danger = ["NET_RAW", "podid policy net-raw", "--enable-pod-identity-with-kubenet"];
    world.enable(&[]).refused(1, &danger);
    assert!(there(&world).is_empty());
    world.enable(&["--enable-pod-identity-with-kubenet", "--no-wait"]).ok();
    let agent = world.get(&["daemonset", "nmi", "--namespace=kube-system"]).remove(0);
    assert!(agent.to_string().contains("--allow-network-plugin-kubenet"), "{agent}");
    // Consent is remembered, as AKS remembered it.
    world.run(&["enable"]).ok();
    world.disable(&[]).ok();
    change(|cluster| cluster.network_plugin = "azure".to_owned());

    world.run(&["enable"]).refused(1, &["no image of podid is given", "--image"]);
    world.run(&["enable", "-g", "myResourceGroup", "--image", IMAGE]).refused(2, &["give both, or neither"]);
    world
        .run(&["enable", "-g", "myResourceGroup", "-n", "other", "--image", IMAGE])
        .refused(1, &["other in resource group myResourceGroup does not exist"]);

    azure.demote(Role::VirtualMachineContributor);
    world
        .enable(&[])
        .refused(1, &["Microsoft.ContainerService/managedClusters/read", "az role assignment create"]);
    azure.promote();
    let arguments = enable(&[]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ended::of(&world.stranger(&arguments).output().unwrap()).refused(3, &["az login"]);
    assert!(there(&world).is_empty(), "{:?}", there(&world));

    // Without a name, what Azure does not say is left out and told.
    let on = Ended::of(&world.stranger(&["enable", "--image", IMAGE]).output().unwrap()).ok();
    assert!(on.stderr.contains("its network plugin and identity were not checked"), "{on:?}");
    eventually("the agents run", || {
        let agent = world.get(&["daemonset", "nmi", "--namespace=kube-system"]).remove(0);
        agent["status"]["numberReady"] == 2
    });
}

#[test]
fn standard_mode_brings_the_controller_and_takes_it_away() {
    let Some(world) = World::new("standard mode brings the controller") else { return };
    world.enable(&["--mode", "standard"]).ok();
    assert_eq!(world.get(&["deployment", "mic", "--namespace=kube-system"]).len(), 1);
    assert_eq!(world.get(&["azurepodidentityexceptions", "--all-namespaces"]).len(), 2);
    assert!(world.get(&["azureassignedidentities", "--all-namespaces"]).is_empty());
    world.disable(&[]).ok();
    assert!(there(&world).is_empty(), "{:?}", there(&world));
}
