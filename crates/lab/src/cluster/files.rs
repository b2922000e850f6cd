//! Which files and variables do nodes, pods and people find?

use serde_json::json;

use super::World;
use super::ground::DATA_CENTRE;
use crate::home::Home;
use crate::scenario;

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
pub(super) fn environment(world: &World, kubeconfig: &str) -> String {
    let variables = [
        ("KUBECONFIG", kubeconfig),
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
