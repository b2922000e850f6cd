//! Which files and variables do nodes, pods and people find?

use std::path::PathBuf;

use serde_json::json;

use super::World;
use super::ground::DATA_CENTRE;
use crate::doors::Outside;
use crate::home::Home;
use crate::scenario;

/// Where distributions keep the authorities that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// `/etc/hosts` of nodes and pods.
pub(super) fn hosts(world: &World) -> String {
    let names = world.azure.hosts().join(" ");
    format!("127.0.0.1 localhost\n{DATA_CENTRE} {names} kubernetes.default.svc kubernetes\n")
}

/// What MIC reads as `/etc/kubernetes/azure.json` on a real node.
pub(super) fn azure_json(world: &World) -> String {
    json!({
        "cloud": "AzurePublicCloud", "tenantId": scenario::TENANT, "subscriptionId": scenario::SUBSCRIPTION,
        "resourceGroup": scenario::NODE_GROUP, "vmType": "vmss", "aadClientId": "msi", "aadClientSecret": "msi",
        "useManagedIdentityExtension": true, "userAssignedIdentityID": world.cluster.client_id,
    })
    .to_string()
}

/// What a shell on the host needs to follow the tutorial.
pub(super) fn environment(world: &World, home: &Home, kubeconfig: &str) -> String {
    let file = |name: &str| home.file(name).display().to_string();
    let (cloud, trusted) = (file("cloud.json"), file("ca-bundle.pem"));
    let variables = [
        ("KUBECONFIG", kubeconfig),
        ("AZURE_CLOUD", "AzureStackCloud"),
        ("AZURE_ENVIRONMENT_FILEPATH", &cloud),
        ("SSL_CERT_FILE", &trusted),
        ("AZURE_TENANT_ID", scenario::TENANT),
        ("AZURE_CLIENT_ID", &world.user.client_id),
        ("AZURE_CLIENT_SECRET", &world.secret),
        ("AZURE_SUBSCRIPTION_ID", scenario::SUBSCRIPTION),
        ("MY_RESOURCE_GROUP", scenario::CLUSTER_GROUP),
        ("MY_CLUSTER", scenario::CLUSTER_NAME),
        ("SUBSCRIPTION_ID", scenario::SUBSCRIPTION),
        ("IDENTITY_RESOURCE_GROUP", scenario::IDENTITY_GROUP),
        ("IDENTITY_NAME", scenario::APPLICATION),
        ("IDENTITY_CLIENT_ID", &world.application.client_id),
        ("IDENTITY_RESOURCE_ID", world.application.id.as_str()),
        ("POD_IDENTITY_NAME", scenario::POD_IDENTITY),
        ("POD_IDENTITY_NAMESPACE", scenario::APP_NAMESPACE),
    ];
    variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect()
}

/// What podid reads to find the lab's ARM and Entra from outside.
pub(super) fn cloud(outside: Outside) -> String {
    json!({
        "name": "podid lab",
        "resourceManagerEndpoint": format!("https://{}/", outside.arm),
        "activeDirectoryEndpoint": format!("https://{}/", outside.entra),
    })
    .to_string()
}

/// The lab's authority after those that this machine trusts: the shell that gets it also speaks to others.
pub(super) fn trusted(authority: &str) -> String {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let of_the_system = named
        .into_iter()
        .chain(BUNDLES.map(PathBuf::from))
        .find_map(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_default();
    format!("{}\n{authority}", of_the_system.trim_end())
}

/// What every program in a pod finds in its environment.
pub(super) fn surroundings(home: &Home) -> Vec<(String, String)> {
    let ca = home.file("ca.pem").display().to_string();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    let mut all = vec![
        ("PATH".to_owned(), format!("{}:{path}", home.file("bin").display())),
        ("HOME".to_owned(), "/".to_owned()),
    ];
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        all.push((name.to_owned(), ca.clone()));
    }
    all
}
