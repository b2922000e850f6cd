//! Are the files under `deploy/` what the generator writes, and would an API server understand them?
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests")]

use std::path::Path;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use podid_kube::crd::{AzureIdentity, AzureIdentityBinding, AzurePodIdentityException};
use podid_kube::facts;
use podid_kube::manifests::{self, Install, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn file(path: &str) -> Vec<Value> {
    let files = manifests::all().unwrap();
    documents(&files.iter().find(|(name, _)| *name == path).unwrap().1)
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| unreachable!("{kind} {name}"))
}

/// Reading into the type and back loses nothing: every field exists and has the right type.
fn assert_known<K: DeserializeOwned + Serialize>(object: &Value) {
    let read: K = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(&serde_json::to_value(read).unwrap(), object);
}

#[test]
fn committed_files_are_what_the_generator_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for (path, content) in manifests::all().unwrap() {
        let committed = std::fs::read_to_string(folder.join(path)).unwrap_or_default();
        assert_eq!(committed, content, "deploy/{path} is old; run `cargo xtask gen`");
    }
}

/// The generated files that hold objects.
fn manifests() -> Vec<(&'static str, String)> {
    let yaml = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "yaml");
    manifests::all().unwrap().into_iter().filter(|(path, _)| yaml(path)).collect()
}

#[test]
fn every_object_has_only_fields_that_its_kind_has() {
    for (path, content) in manifests() {
        for object in documents(&content) {
            match object["kind"].as_str().unwrap() {
                "CustomResourceDefinition" => assert_known::<CustomResourceDefinition>(&object),
                "ServiceAccount" => assert_known::<ServiceAccount>(&object),
                "ClusterRole" => assert_known::<ClusterRole>(&object),
                "ClusterRoleBinding" => assert_known::<ClusterRoleBinding>(&object),
                "Role" => assert_known::<Role>(&object),
                "RoleBinding" => assert_known::<RoleBinding>(&object),
                "Secret" => assert_known::<Secret>(&object),
                "Deployment" => assert_known::<Deployment>(&object),
                "DaemonSet" => assert_known::<DaemonSet>(&object),
                "Namespace" => assert_known::<Namespace>(&object),
                "Pod" => assert_known::<Pod>(&object),
                "ValidatingAdmissionPolicy" => assert_known::<ValidatingAdmissionPolicy>(&object),
                "ValidatingAdmissionPolicyBinding" => {
                    assert_known::<ValidatingAdmissionPolicyBinding>(&object);
                }
                "AzureIdentity" => assert_known::<AzureIdentity>(&object),
                "AzureIdentityBinding" => assert_known::<AzureIdentityBinding>(&object),
                "AzurePodIdentityException" => assert_known::<AzurePodIdentityException>(&object),
                // Not of Kubernetes; tests of their own say what they hold.
                "CiliumLocalRedirectPolicy"
                | "CiliumClusterwideNetworkPolicy"
                | "K8sPSPCapabilities"
                | "K8sPSPPrivilegedContainer"
                | "K8sPSPHostNetworkingPorts" => {}
                other => unreachable!("{other} in {path}"),
            }
        }
    }
}

#[test]
fn nobody_may_more_than_podid_does() {
    let objects = file("infra/deployment-rbac.yaml");
    let roles =
        objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("ClusterRole" | "Role")));
    let granted: Vec<&Value> = roles.flat_map(|role| role["rules"].as_array().unwrap()).collect();
    for text in granted.iter().map(ToString::to_string) {
        assert!(!text.contains('*') && !text.contains("secrets"), "{text}");
    }
    insta::assert_json_snapshot!(granted);
}

#[test]
fn the_node_agent_adds_one_capability_and_drops_all_others() {
    for path in ["infra/deployment-rbac.yaml", "infra/managed-mode-deployment.yaml"] {
        let objects = file(path);
        let pod = &find(&objects, "DaemonSet", "nmi")["spec"]["template"]["spec"];
        assert_eq!(pod["hostNetwork"], true);
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"], "add": ["NET_ADMIN"]}));
        assert_eq!(security["readOnlyRootFilesystem"], true);
    }
}

#[test]
fn workloads_replace_those_of_the_original_in_place() {
    let objects = file("infra/deployment-rbac.yaml");
    let nmi = find(&objects, "DaemonSet", "nmi");
    assert_eq!(nmi["spec"]["selector"]["matchLabels"], json!({"component": "nmi", "tier": "node"}));
    let mic = find(&objects, "Deployment", "mic");
    assert_eq!(mic["spec"]["selector"]["matchLabels"], json!({"app": "mic", "component": "mic"}));
    for account in ["aad-pod-id-mic-service-account", "aad-pod-id-nmi-service-account"] {
        assert_eq!(find(&objects, "ServiceAccount", account)["metadata"]["namespace"], "default");
    }
}

#[test]
fn the_node_agent_may_patch_nodes_only_where_it_has_a_startup_taint_to_remove() {
    let rights = |install: &Install| {
        let objects = install.managed().unwrap();
        let rules = find(&objects, "ClusterRole", "aad-pod-id-nmi-role")["rules"].to_string();
        let container = &find(&objects, "DaemonSet", "nmi")["spec"]["template"]["spec"]["containers"][0];
        (rules.contains("nodes"), container["args"].to_string().contains("startup-taint"))
    };
    assert_eq!(rights(&Install::default()), (false, false));
    let tainted = Install { startup_taint: Some("podid.dev/starting".into()), ..Install::default() };
    assert_eq!(rights(&tainted), (true, true));
    let objects = tainted.standard().unwrap();
    let rules = &find(&objects, "ClusterRole", "aad-pod-id-nmi-role")["rules"];
    let nodes = json!({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]});
    assert!(rules.as_array().unwrap().contains(&nodes), "{rules}");
}

/// Cilium takes pods whose labels match, in the policy's namespace, and only at a port that their containers declare.
#[test]
fn cilium_finds_the_agent_and_refuses_what_does_not_go_there() {
    let objects = file("cilium/local-redirect.yaml");
    let redirect = &find(&objects, "CiliumLocalRedirectPolicy", "nmi");
    let backend = &redirect["spec"]["redirectBackend"];
    for path in ["infra/deployment-rbac.yaml", "infra/noazurejson/deployment-rbac.yaml"] {
        let installed = file(path);
        let agent = find(&installed, "DaemonSet", "nmi");
        assert_eq!(redirect["metadata"]["namespace"], agent["metadata"]["namespace"]);
        let pod = &agent["spec"]["template"];
        for (key, value) in backend["localEndpointSelector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&pod["metadata"]["labels"][key], value);
        }
        let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
        let wanted: u16 = backend["toPorts"][0]["port"].as_str().unwrap().parse().unwrap();
        assert!(ports.iter().any(|port| port["containerPort"] == wanted), "{ports:?}");
    }
    let frontend = &redirect["spec"]["redirectFrontend"]["addressMatcher"];
    let refused = &find(&objects, "CiliumClusterwideNetworkPolicy", "podid-metadata")["spec"];
    assert_eq!(
        refused["egressDeny"][0]["toCIDR"][0],
        format!("{}/32", frontend["ip"].as_str().unwrap()).as_str()
    );
    // A policy that selects pods would otherwise refuse everything that no policy allows.
    assert_eq!(refused["enableDefaultDeny"], json!({"egress": false, "ingress": false}));
}

#[test]
fn managed_mode_knows_no_controller_and_no_assignments() {
    let text = serde_json::to_string(&file("infra/managed-mode-deployment.yaml")).unwrap();
    assert!(!text.contains("azureassignedidentities") && !text.contains("Deployment"), "{text}");
    assert!(text.contains("--operation-mode=managed") && text.contains("--forceNamespaced"));
}

#[test]
fn without_azure_json_nothing_of_the_node_is_mounted_and_the_controller_is_not_root() {
    let objects = file("infra/noazurejson/deployment-rbac.yaml");
    let pod = &find(&objects, "Deployment", "mic")["spec"]["template"]["spec"];
    // An empty list would be written anew by every kubectl apply.
    assert!(pod.get("volumes").is_none() && pod["containers"][0].get("volumeMounts").is_none());
    assert_eq!(pod["containers"][0]["securityContext"]["runAsUser"], 65532);
    let keys = find(&objects, "Secret", "aadpodidentity-admin-secret")["stringData"].as_object().unwrap();
    assert_eq!(keys.len(), 7);
}

#[test]
fn the_exceptions_cover_the_controller_that_is_installed() {
    let exceptions = file("infra/mic-exception.yaml");
    let exception = find(&exceptions, "AzurePodIdentityException", "mic-exception");
    let installed = file("infra/deployment-rbac.yaml");
    let mic = find(&installed, "Deployment", "mic");
    let labels = &mic["spec"]["template"]["metadata"]["labels"];
    let pod = json!({"metadata": {"namespace": "default", "name": "mic-1", "uid": "u", "labels": labels}});
    let pod = facts::pod(&serde_json::from_value(pod).unwrap()).unwrap();
    let fact = facts::exception(&serde_json::from_value(exception.clone()).unwrap()).unwrap();
    assert!(fact.covers(&pod));
}

#[test]
fn samples_are_usable_identities() {
    for path in [
        "demo/aadpodidentity.yaml",
        "demo/aadpodidentity-secret.yaml",
        "demo/aadpodidentity-certificate.yaml",
    ] {
        let objects = file(path);
        let mut identity = find(&objects, "AzureIdentity", "demo").clone();
        identity["metadata"] = json!({"name": "demo", "namespace": "default", "uid": "u"});
        let fact = facts::identity(&serde_json::from_value(identity).unwrap()).unwrap();
        assert!(fact.kind.is_ok(), "{path}: {:?}", fact.kind);
    }
}

#[test]
fn namespace_and_image_can_be_chosen() {
    let install =
        Install { namespace: "podid".into(), image: "registry.example/podid:1".into(), ..Install::default() };
    let objects = install.standard().unwrap();
    let mic = find(&objects, "Deployment", "mic");
    assert_eq!(mic["metadata"]["namespace"], "podid");
    assert_eq!(mic["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/podid:1");
    let binding = find(&objects, "ClusterRoleBinding", "aad-pod-id-mic-binding");
    assert_eq!(binding["subjects"][0]["namespace"], "podid");
    assert_eq!(find(&objects, "Role", "aad-pod-id-mic-lock-role")["metadata"]["namespace"], "default");
}

#[test]
fn whoever_opens_a_file_reads_first_that_matching_is_cluster_wide_and_that_no_image_is_set() {
    let wide = "MATCHING IS CLUSTER-WIDE";
    for (path, content) in manifests() {
        let head: String = content.lines().take_while(|line| line.starts_with('#')).collect();
        let workloads = content.contains("kind: DaemonSet");
        assert_eq!(head.contains(wide), workloads && !content.contains("- --forceNamespaced"), "{path}");
        assert_eq!(head.contains("NO IMAGE IS SET"), content.contains("image: "), "{path}");
    }
    let namespaced = Install { namespaced: true, image: "a/b:1".into(), ..Install::default() };
    let text = namespaced.render(Part::Standard).unwrap();
    assert!(!text.contains(wide) && !text.contains("NO IMAGE"), "{text}");
}

#[test]
fn no_file_names_a_registry_that_could_exist() {
    for (path, content) in manifests() {
        for line in content.lines().filter(|line| line.trim_start().starts_with("image: ")) {
            assert!(line.contains("registry.invalid/"), "{path}: {line}");
        }
    }
}

#[test]
fn namespaced_matching_is_told_to_both_programs() {
    let install = Install { namespaced: true, ..Install::default() };
    let objects = install.standard().unwrap();
    for (kind, name) in [("Deployment", "mic"), ("DaemonSet", "nmi")] {
        let arguments = &find(&objects, kind, name)["spec"]["template"]["spec"]["containers"][0]["args"];
        assert!(arguments.as_array().unwrap().contains(&json!("--forceNamespaced=true")), "{arguments}");
    }
}

#[test]
fn the_writers_of_assignments_are_the_installed_controller_and_whom_the_operator_names() {
    let old = "system:serviceaccount:kube-system:it's-mic";
    let install =
        Install { namespace: "podid".into(), assignment_writers: vec![old.into()], ..Install::default() };
    let policies = install.policies();
    let policy = find(&policies, "ValidatingAdmissionPolicy", "podid-assignment-writers");
    assert_eq!(
        policy["spec"]["variables"][0]["expression"],
        r"request.userInfo.username in ['system:serviceaccount:podid:aad-pod-id-mic-service-account', 'system:serviceaccount:kube-system:it\'s-mic']"
    );
}
