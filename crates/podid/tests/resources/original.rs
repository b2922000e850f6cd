//! Does podid understand what aad-pod-identity wrote, and the other way round?

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::join_all;
use kube::{Api, Client};
use podid_core::facts::{Assignment, AssignmentState, IdentityKind};
use podid_core::ids::{NodeName, ObjectRef};
use podid_kube::crd::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzurePodIdentityException, Embedded,
};
use podid_kube::records::{self, Record};
use podid_kube::{client, crd, facts};
use podid_testbed::ControlPlane;
use serde_json::{Value, json};

use crate::cluster::{MIC, STORED, get, namespace, shared};

/// What MIC and NMI of aad-pod-identity read of an assignment (peer contract §1.4, §2.5, §4.5).
const READ: [&str; 20] = [
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/labels/nodename",
    "/metadata/finalizers/0",
    "/spec/azureIdentityRef/apiVersion",
    "/spec/azureIdentityRef/kind",
    "/spec/azureIdentityRef/metadata/name",
    "/spec/azureIdentityRef/metadata/namespace",
    "/spec/azureIdentityRef/metadata/resourceVersion",
    "/spec/azureIdentityRef/spec/clientID",
    "/spec/azureIdentityRef/spec/resourceID",
    "/spec/azureBindingRef/metadata/name",
    "/spec/azureBindingRef/metadata/namespace",
    "/spec/azureBindingRef/metadata/resourceVersion",
    "/spec/azureBindingRef/spec/azureIdentity",
    "/spec/azureBindingRef/spec/selector",
    "/spec/pod",
    "/spec/podNamespace",
    "/spec/nodename",
    "/status/status",
];

/// A client with the rights of `kubeconfig`.
pub(crate) async fn connect(kubeconfig: &Path) -> Client {
    client::connect(Some(kubeconfig), "podid-test").await.unwrap()
}

/// A runtime for the calls of one test.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    // As the binary does: the provider of the first handshake has to be chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

async fn all<K>(client: &Client, namespace: &str) -> Vec<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug,
    K::DynamicType: Default,
{
    Api::<K>::namespaced(client.clone(), namespace)
        .list(&kube::api::ListParams::default())
        .await
        .unwrap()
        .items
}

/// Everything of the fixtures in `namespace` is read, and says what it should.
fn assert_understood(cluster: &ControlPlane, namespace: &str) {
    wait(async {
        let client = connect(&cluster.admin_kubeconfig()).await;
        let identities: Vec<AzureIdentity> = all(&client, namespace).await;
        let fact = |name: &str| {
            let object = identities.iter().find(|object| object.metadata.name.as_deref() == Some(name));
            facts::identity(object.unwrap_or_else(|| panic!("{name} is not there"))).unwrap()
        };
        for name in ["documented", "from-go"] {
            assert!(
                matches!(fact(name).kind, Ok(IdentityKind::Managed { .. })),
                "{name}: {:?}",
                fact(name).kind
            );
        }
        assert!(fact("from-go").namespaced && !fact("documented").namespaced);
        for name in ["principal-with-secret", "principal-with-certificate"] {
            let kind = fact(name).kind;
            assert!(matches!(kind, Ok(IdentityKind::ServicePrincipal { .. })), "{name}: {kind:?}");
        }
        let bindings: Vec<AzureIdentityBinding> = all(&client, namespace).await;
        let selectors: Vec<_> =
            bindings.iter().map(|object| facts::binding(object).unwrap().selector).collect();
        for selector in ["app", "Any value, no label would take"] {
            assert!(selectors.iter().any(|found| &**found == selector), "{selectors:?}");
        }
        let exceptions: Vec<AzurePodIdentityException> = all(&client, namespace).await;
        let labels = exceptions.iter().map(|object| facts::exception(object).unwrap().pod_labels.len());
        assert_eq!(labels.filter(|count| *count == 2).count(), 2);
        let assignments: Vec<AzureAssignedIdentity> = all(&client, namespace).await;
        let facts: Vec<Assignment> =
            assignments.iter().map(|object| facts::assignment(object).unwrap()).collect();
        for (pod, state) in [
            ("web", AssignmentState::Assigned),
            ("created", AssignmentState::Created),
            ("unassigned", AssignmentState::Unassigned),
            ("no-state", AssignmentState::Assigned),
            ("empty-state", AssignmentState::Assigned),
            ("upgraded", AssignmentState::Assigned),
            ("bad-copies", AssignmentState::Assigned),
        ] {
            let fact = facts.iter().find(|fact| fact.pod == ObjectRef::new("shop", pod));
            let fact = fact.unwrap_or_else(|| panic!("{pod} is not there"));
            assert_eq!((fact.state, &fact.node), (state, &NodeName::new("aks-1")), "{pod}");
            assert_eq!(fact.identity.kind.is_ok(), pod != "bad-copies", "{pod}: {:?}", fact.identity.kind);
        }
    });
}

/// Every key below `schema` with its type and whether it may be null.
fn keys(path: &str, schema: &Value, found: &mut BTreeMap<String, String>) {
    let kind = schema["type"].as_str().unwrap();
    let item = schema["items"]["type"].as_str().or(schema["additionalProperties"]["type"].as_str());
    let null = if schema["nullable"] == true { " or null" } else { "" };
    found.insert(path.to_owned(), format!("{kind} {}{null}", item.unwrap_or_default()));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        keys(&format!("{path}.{name}"), field, found);
    }
}

#[test]
fn our_definitions_have_the_originals_names_keys_types_and_columns_and_no_others() {
    let theirs: Vec<Value> = serde_saphyr::from_multiple(include_str!("original/definitions.yaml")).unwrap();
    let ours: Vec<Value> =
        crd::definitions().iter().map(|ours| serde_json::to_value(ours).unwrap()).collect();
    assert_eq!(theirs.len(), ours.len());
    for theirs in &theirs {
        let name = &theirs["metadata"]["name"];
        let ours = ours.iter().find(|ours| ours["metadata"]["name"] == *name).unwrap();
        for part in ["group", "names", "scope"] {
            assert_eq!(ours["spec"][part], theirs["spec"][part], "{part} of {name}");
        }
        let (ours, theirs) = (&ours["spec"]["versions"], &theirs["spec"]["versions"]);
        assert_eq!(ours.as_array().unwrap().len(), 1);
        for part in ["name", "served", "storage", "additionalPrinterColumns"] {
            assert_eq!(ours[0][part], theirs[0][part], "{part} of {name}");
        }
        let read = |version: &Value| {
            let mut found = BTreeMap::new();
            keys("", &version["schema"]["openAPIV3Schema"], &mut found);
            // What every object has, and the state of a copy, which is kept without being described.
            for free in [".apiVersion", ".kind", ".metadata"] {
                found.remove(free);
            }
            found.retain(|path, _| !path.contains("Ref.status"));
            found
        };
        assert_eq!(read(&ours[0]), read(&theirs[0]), "{name}");
    }
}

/// W-49.
#[test]
fn what_was_stored_under_the_originals_definitions_is_understood() {
    let Some(cluster) = shared() else { return };
    assert_understood(cluster, STORED);
}

#[test]
fn what_the_original_would_write_now_is_accepted_and_understood() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "again");
    let create = |user: &[&str], objects: &str| {
        let arguments = ["create", "--validate=ignore", "--namespace=again", "--filename=-"];
        let output = cluster.kubectl_with(&[&arguments[..], user].concat(), objects);
        assert!(output.success() && !output.stderr.contains("Policy"), "{output:?}");
    };
    create(&[], include_str!("original/objects.yaml"));
    create(&["--as", MIC], include_str!("original/assignments.yaml"));
    assert_understood(cluster, "again");
}

#[test]
fn copies_keep_what_they_held() {
    let Some(cluster) = shared() else { return };
    let copy = &get(cluster, STORED, "azureassignedidentity/web-shop-app")["spec"]["azureIdentityRef"];
    assert_eq!(copy["metadata"]["resourceVersion"], "11");
    assert_eq!(copy["metadata"]["managedFields"][0]["manager"], "kubectl");
    assert_eq!(copy["spec"]["clientPassword"], json!({}));
    let upgraded = &get(cluster, STORED, "azureassignedidentity/upgraded")["spec"]["azureIdentityRef"];
    assert_eq!(upgraded["kind"], "AzureIdentityList");
}

/// A record of podid for the pod `name`, with copies as they come from the API server.
pub(crate) fn record(cluster: &ControlPlane, namespace: &str, name: &str) -> Record {
    let live = |object: &str| Embedded::new(get(cluster, STORED, object));
    Record {
        id: ObjectRef::new(namespace, name),
        pod: ObjectRef::new("shop", name),
        node: NodeName::new("aks-1"),
        identity: live("azureidentity/documented"),
        binding: live("azureidentitybinding/documented"),
        state: AssignmentState::Created,
    }
}

#[test]
fn what_podid_writes_has_every_key_that_the_original_reads() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "written");
    let mic = cluster.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap();
    let record = record(cluster, "written", "web");
    wait(async {
        let client = connect(&mic).await;
        records::create_assignment(&client, &record).await.unwrap();
    });
    let written = get(cluster, "written", "azureassignedidentity/web");
    let by_the_original = get(cluster, STORED, "azureassignedidentity/web-shop-app");
    for path in READ {
        for (who, object) in [("podid", &written), ("the original", &by_the_original)] {
            let value = object.pointer(path).unwrap_or(&Value::Null);
            assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{who} has {value} at {path}");
        }
    }
    assert_eq!(written["metadata"]["finalizers"], by_the_original["metadata"]["finalizers"]);
    assert_eq!(written["metadata"]["labels"], by_the_original["metadata"]["labels"]);
    assert_eq!(written["status"]["availableReplicas"], by_the_original["status"]["availableReplicas"]);
}

#[test]
fn many_records_at_once_are_written_with_the_roles_that_are_shipped() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "many");
    let mic = cluster.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap();
    let template = record(cluster, "many", "web");
    wait(async {
        let client = connect(&mic).await;
        let all = (0..20).map(|number| {
            let (client, mut record) = (client.clone(), template.clone());
            record.id = ObjectRef::new("many", format!("web-{number}"));
            record.pod = ObjectRef::new("shop", format!("web-{number}"));
            async move {
                let made = records::create_assignment(&client, &record).await.unwrap();
                records::mark(&client, &record.id, AssignmentState::Assigned).await.unwrap();
                records::renew_assignment(&client, &record).await.unwrap();
                records::mark(&client, &record.id, AssignmentState::Unassigned).await.unwrap();
                records::delete(&client, &record.id, Some(&made.uid)).await.unwrap();
            }
        });
        join_all(all).await;
    });
    let left = cluster.kubectl(&["get", "azureassignedidentities", "--namespace=many", "--output=name"]).ok();
    assert_eq!(left, "");
}
