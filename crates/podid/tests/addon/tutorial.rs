//! Does the tutorial of the add-on work from its first to its last command, with `podid` for `az aks`?
//!
//! What the tutorial does with other commands of `az` is done to the simulated Azure directly. Pods are
//! played here, so that they get no tokens; those of the lab do (`crates/podid/tests/tutorial.rs`).

use podid_lab::azure::Role;
use serde_json::json;

use crate::{World, eventually};

const IMAGE: &str = "registry.example/podid:1";
const NAMESPACE: &str = "my-app";

impl World {
    fn identities(&self) -> Vec<String> {
        let all = self.azure.azure.identities_on(&self.azure.scale_set);
        all.iter().map(|id| id.name().to_owned()).collect()
    }

    /// `podid add`, with the arguments that the tutorial has.
    fn add(&self, name: &str, resource: &str, more: &[&str]) -> crate::Ended {
        let usual = ["add", "--resource-group", "myResourceGroup", "--cluster-name", "myAKSCluster"];
        let these = ["--namespace", NAMESPACE, "--name", name, "--identity-resource-id", resource];
        self.run(&[&usual[..], &these, more].concat())
    }

    fn demo(&self, name: &str, selector: &str) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"aadpodidbinding": selector}},
            "spec": {"containers": [{
                "name": "demo", "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/demo:v1.6.3",
            }], "nodeSelector": {"kubernetes.io/os": "linux"}},
        });
        self.cluster
            .kubectl_with(&["apply", "--filename=-", "--namespace", NAMESPACE], &pod.to_string())
            .ok();
        eventually("the demo runs", || {
            let pods = self.get(&["pods", name, "--namespace", NAMESPACE]);
            pods.first().is_some_and(|pod| pod["status"]["phase"] == "Running")
        });
    }
}

#[test]
fn the_tutorial_of_the_add_on_works_from_its_first_to_its_last_command() {
    let Some(world) = World::new("the tutorial of the add-on") else { return };
    let cluster = ["--resource-group", "myResourceGroup", "--name", "myAKSCluster"];
    let azure = &world.azure.azure;

    // az aks update --enable-pod-identity
    world.run(&[&["enable"], &cluster[..], &["--enable-pod-identity", "--image", IMAGE]].concat()).ok();
    assert_eq!(world.get(&["azurepodidentityexceptions", "--namespace=kube-system"]).len(), 1);

    // az identity create; az role assignment create
    let application = &world.azure.application;
    let nodes = azure.create_group("MC_myResourceGroup_myAKSCluster_westeurope");
    azure.grant(&application.principal_id, Role::VirtualMachineContributor, &nodes);

    // az aks pod-identity add
    let resource = application.id.as_str();
    let planned = world.add("my-pod-identity", resource, &["--dry-run"]).ok();
    assert!(planned.stdout.contains("grant Managed Identity Operator"), "{planned:?}");
    assert!(world.identities().is_empty(), "a dry run changes nothing");
    let added = world.add("my-pod-identity", resource, &[]).ok();
    assert!(added.stdout.contains("my-pod-identity"), "{added:?}");
    assert_eq!(world.identities(), ["application-identity"]);
    let again = world.add("my-pod-identity", resource, &["--dry-run"]).ok();
    assert!(again.stdout.contains("nothing to do"), "the role counts, and all else is there: {again:?}");

    // kubectl get azureidentity, azureidentitybinding
    let identity = world.get(&["azureidentity", "--namespace", NAMESPACE]).remove(0);
    assert_eq!(identity["spec"]["clientID"], application.client_id);
    let binding = world.get(&["azureidentitybinding", "--namespace", NAMESPACE]).remove(0);
    assert_eq!(binding["spec"]["selector"], "my-pod-identity");

    // kubectl apply -f demo.yaml
    world.demo("demo", "my-pod-identity");

    // Several identities on one selector
    let group = azure.create_group("myIdentityResourceGroup");
    for number in ["1", "2"] {
        let one = azure.create_identity(&group, &format!("identity-{number}")).unwrap();
        let selector = ["--binding-selector", "myMultiIdentitySelector"];
        world.add(&format!("pod-identity-{number}"), one.id.as_str(), &selector).ok();
    }
    world.demo("demo-of-several", "myMultiIdentitySelector");
    let listed = world.run(&["list", "--namespace", NAMESPACE, "-o", "name"]).ok();
    assert_eq!(listed.stdout.lines().count(), 3, "{listed:?}");

    // az aks update --disable-pod-identity is refused before the identities are removed
    let off = [&["disable"], &cluster[..], &["--disable-pod-identity"]].concat();
    world.run(&off).refused(1, &["3 pod identities are in the cluster"]);

    // kubectl delete pod; az aks pod-identity delete
    world.cluster.kubectl(&["delete", "pods", "--all", "--namespace", NAMESPACE]).ok();
    for name in ["my-pod-identity", "pod-identity-1", "pod-identity-2"] {
        let usual = ["delete", "--resource-group", "myResourceGroup", "--cluster-name", "myAKSCluster"];
        world.run(&[&usual[..], &["--namespace", NAMESPACE, "--name", name]].concat()).ok();
    }
    assert!(world.identities().is_empty(), "{:?}", world.identities());

    // az aks update --disable-pod-identity; az identity delete
    world.run(&off).ok();
    let kinds = world.get(&["customresourcedefinitions"]);
    assert!(!kinds.iter().any(|kind| kind["spec"]["group"] == "aadpodidentity.k8s.io"));
    assert!(world.get(&["daemonset", "nmi", "--namespace=kube-system"]).is_empty());
    azure.delete_identity(&application.id);
}
