//! How does a role learn its cloud, its subscription and its own credential?
//!
//! From the cluster's `azure.json` (JSON or YAML, keys in any letter case), or from environment
//! variables when no file is given (peer contract §2.2).

mod read;

use std::path::Path;

use podid_core::ids::ClientId;
use secrecy::SecretString;

use crate::cloud::{Cloud, InvalidCloud};

/// What a role has to know to talk to Azure.
#[derive(Clone, Debug)]
pub struct AzureConfig {
    /// The cloud and its endpoints.
    pub cloud: Cloud,
    /// The nodes' subscription, if it is said. A node's provider id names its own (W-17).
    pub subscription: Option<String>,
    /// The nodes' resource group, if it is said. A node's provider id names its own (W-17).
    pub resource_group: Option<String>,
    /// The role's own credential.
    pub login: Login,
}

/// How a role gets its own tokens.
#[derive(Clone, Debug)]
pub enum Login {
    /// A managed identity of the machine, through IMDS: the one with this client id, else the system-assigned one.
    ManagedIdentity(Option<ClientId>),
    /// A service principal with a client secret, at Entra.
    ServicePrincipal {
        /// Its tenant.
        tenant: String,
        /// Its application id.
        client_id: String,
        /// Its secret.
        secret: SecretString,
    },
}

/// Why there is no configuration. Says which file or variable, what is wrong and what was expected,
/// and never a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the cloud configuration {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is neither JSON nor YAML with keys and values.
    #[error("{path}: {problem}; expected azure.json as AKS writes it, in JSON or YAML")]
    Malformed {
        /// The file.
        path: String,
        /// Where and what is wrong.
        problem: String,
    },
    /// A value is missing or is not what it should be.
    #[error("{origin}: {key} {problem}; expected {expected}")]
    Value {
        /// The file, or the environment.
        origin: String,
        /// Which key or variable.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// The cloud is not one.
    #[error("{origin}: {source}")]
    Cloud {
        /// The file, or the environment.
        origin: String,
        /// Why not.
        source: InvalidCloud,
    },
}

// === impl AzureConfig ===

impl AzureConfig {
    /// Reads the file at `path`. `variable` looks up an environment variable; only the endpoints file
    /// of a custom cloud is asked for.
    pub fn from_file(path: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        read::file(&text, shown, variable)
    }

    /// Reads the environment through `variable`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        read::environment(variable)
    }
}
