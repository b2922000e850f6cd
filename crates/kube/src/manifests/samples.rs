//! What does someone apply who tries it out?

use serde_json::{Value, json};

use super::yaml::{Unwritable, file};
use super::{Install, Part, notes};
use crate::crd::API_VERSION;

/// The sample files.
pub(super) fn files(install: &Install) -> Result<Vec<(&'static str, String)>, Unwritable> {
    let plain = notes::generated(&[notes::SAMPLES]);
    let with_image = notes::generated(&notes::of(install, Part::Demo));
    Ok(vec![
        ("demo/aadpodidentity.yaml", file(&plain, &[identity(&managed())])?),
        (
            "demo/aadpodidentity-secret.yaml",
            file(&plain, &[identity(&principal(1)), secret("clientSecret", "CLIENT_SECRET")])?,
        ),
        (
            "demo/aadpodidentity-certificate.yaml",
            file(&plain, &[identity(&principal(2)), secret("certificate", "CERTIFICATE_AND_KEY_PEM")])?,
        ),
        ("demo/aadpodidentitybinding.yaml", file(&plain, &[binding()])?),
        ("demo/demo.yaml", file(&with_image, &[pod(install)])?),
    ])
}

/// A managed identity, a binding and the pod that it is for.
pub(super) fn objects(install: &Install) -> Vec<Value> {
    vec![identity(&managed()), binding(), pod(install)]
}

fn managed() -> Value {
    json!({
        "type": 0,
        "resourceID": "/subscriptions/SUBSCRIPTION_ID/resourcegroups/RESOURCE_GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities/IDENTITY_NAME",
        "clientID": "IDENTITY_CLIENT_ID"
    })
}

fn identity(spec: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "AzureIdentity", "metadata": {"name": "demo"}, "spec": spec})
}

/// A service principal; 1 has a client secret, 2 a certificate.
fn principal(kind: u8) -> Value {
    json!({
        "type": kind,
        "tenantID": "TENANT.onmicrosoft.com",
        "clientID": "APPLICATION_CLIENT_ID",
        "clientPassword": {"name": "demo-credential"}
    })
}

fn secret(key: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "demo-credential"},
        "type": "Opaque",
        "stringData": {key: value}
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "AzureIdentityBinding",
        "metadata": {"name": "demo-binding"},
        "spec": {"azureIdentity": "demo", "selector": "demo"}
    })
}

fn pod(install: &Install) -> Value {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "demo", "labels": {"aadpodidbinding": "demo"}},
        "spec": {
            "containers": [{
                "name": "demo",
                "image": install.image,
                "args": [
                    "demo",
                    "--subscriptionid=SUBSCRIPTION_ID",
                    "--clientid=IDENTITY_CLIENT_ID",
                    "--resourcegroup=RESOURCE_GROUP"
                ],
                "env": [
                    field("MY_POD_NAME", "metadata.name"),
                    field("MY_POD_NAMESPACE", "metadata.namespace"),
                    field("MY_POD_IP", "status.podIP")
                ]
            }],
            "nodeSelector": {"kubernetes.io/os": "linux"}
        }
    })
}
