//! How do people and pods reach the lab's Kubernetes API? Through kubeconfigs with a random token.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};

/// A bearer token that nobody can guess.
pub(super) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A kubeconfig for the API at `server`. Names its cluster so that prompts show where one is.
pub(super) fn kubeconfig(server: SocketAddr, ca: &str, token: &str, namespace: &str) -> String {
    let ca = STANDARD.encode(ca);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         current-context: podid-lab\n\
         clusters:\n\
         - name: podid-lab\n\
        \x20 cluster:\n\
        \x20   server: https://{server}\n\
        \x20   certificate-authority-data: {ca}\n\
         contexts:\n\
         - name: podid-lab\n\
        \x20 context:\n\
        \x20   cluster: podid-lab\n\
        \x20   user: podid-lab\n\
        \x20   namespace: {namespace}\n\
         users:\n\
         - name: podid-lab\n\
        \x20 user:\n\
        \x20   token: {token}\n"
    )
}
