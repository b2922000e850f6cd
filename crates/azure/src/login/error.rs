//! Why does a command find nobody in whose name it may speak to Azure?

use std::path::PathBuf;

use super::Source;
use crate::credential;
use crate::tokens::Failure;

/// Why there are no credentials. Each text says what to do next, and none holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A variable is set that is of no use without another.
    #[error("{set} is set and {missing} is not; set it, or unset {set}")]
    Incomplete {
        /// The one that is set.
        set: &'static str,
        /// The one that is missing.
        missing: &'static str,
    },
    /// The certificate of the service principal cannot be used.
    #[error("the certificate {} (AZURE_CLIENT_CERTIFICATE_PATH) {problem}", path.display())]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `AZURE_TOKEN_CREDENTIALS` names nothing that we know.
    #[error(
        "AZURE_TOKEN_CREDENTIALS is {0:?}; it may be dev, prod, EnvironmentCredential, \
         WorkloadIdentityCredential, AzureCliCredential or ManagedIdentityCredential"
    )]
    Choice(String),
    /// A source is there and gives no token.
    #[error("{failure}")]
    Failed {
        /// Which one.
        from: Source,
        /// Why not.
        failure: Failure<credential::Error>,
    },
    /// No source is set up.
    #[error("nobody is logged in to Azure; run: az login{}", list(.0))]
    Nobody(Vec<Passed>),
}

/// A source that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Which one.
    pub source: Source,
    /// Why.
    pub why: String,
}

fn list(passed: &[Passed]) -> String {
    let each: Vec<String> = passed.iter().map(|one| format!("{}: {}", one.source, one.why)).collect();
    format!(" (looked for: {})", each.join("; "))
}
