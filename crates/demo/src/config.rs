//! What is the demo asked to do?

use std::time::Duration;

/// The settings of the demo.
#[derive(Clone, Debug)]
pub struct Config {
    /// Subscription whose VMs are counted.
    pub subscription: String,
    /// Resource group whose VMs are counted.
    pub resource_group: String,
    /// Client id of the identity that the pod is bound to; empty when none was given.
    pub client_id: String,
    /// Audience of the tokens, and the address of ARM: `https://management.azure.com/` in the public cloud.
    pub resource: String,
    /// A secret to read from a key vault, if any.
    pub secret: Option<VaultSecret>,
    /// Pause between rounds.
    pub period: Duration,
    /// One round only.
    pub once: bool,
    /// Where the metadata service is, without a path.
    pub metadata: String,
}

/// A secret in a key vault.
#[derive(Clone, Debug)]
pub struct VaultSecret {
    /// Name of the vault, for people.
    pub vault: String,
    /// Where it is: `https://NAME.vault.azure.net` in the public cloud.
    pub url: String,
    /// Name of the secret.
    pub name: String,
}

/// The metadata service of every Azure VM.
const METADATA: &str = "http://169.254.169.254";
/// ARM of the public cloud, spelled as the audience that the original asked for.
const ARM: &str = "https://management.azure.com/";
/// The original's pause between rounds.
const PERIOD: Duration = Duration::from_secs(100);

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            subscription: String::new(),
            resource_group: String::new(),
            client_id: String::new(),
            resource: ARM.to_owned(),
            secret: None,
            period: PERIOD,
            once: false,
            metadata: METADATA.to_owned(),
        }
    }
}

// === impl VaultSecret ===

impl VaultSecret {
    /// The secret `name` of a vault given by its name (public cloud) or by its host name.
    pub fn new(vault: &str, name: &str) -> Self {
        let host = if vault.contains('.') { vault.to_owned() } else { format!("{vault}.vault.azure.net") };
        Self { vault: vault.to_owned(), url: format!("https://{host}"), name: name.to_owned() }
    }
}
