//! What does a client need to reach the API server as somebody?

use serde_json::{Value, json};

use crate::authority::Pair;

/// Who somebody is.
pub(crate) enum Credentials<'a> {
    /// By a client certificate.
    Certificate(&'a Pair),
    /// By a token.
    Token(&'a str),
}

/// A kubeconfig that holds everything and refers to no other file. JSON is YAML.
pub(crate) fn render(url: &str, ca_pem: &str, credentials: &Credentials<'_>) -> String {
    let user = match credentials {
        Credentials::Certificate(pair) => json!({
            "client-certificate-data": base64(&pair.certificate),
            "client-key-data": base64(&pair.key),
        }),
        Credentials::Token(token) => json!({"token": token}),
    };
    let name = "podid-testbed";
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": base64(ca_pem)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    });
    format!("{config:#}\n")
}

/// k8s-openapi's bytes write themselves so.
fn base64(text: &str) -> Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}
