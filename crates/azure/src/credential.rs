//! With which token does a role of podid itself speak to Azure?
//!
//! MIC, the demo and the commands ask here; the token is cached and refreshed like a pod's.

mod azure_cli;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use podid_core::ids::ClientId;
use tokio_util::task::TaskTracker;

#[cfg(test)]
pub(crate) use self::azure_cli::tests::az;
pub use self::azure_cli::{Account, AzureCli, Error as CliError};
use crate::cloud::Cloud;
use crate::config::Login;
use crate::entra::{self, Entra, EntraQuery, Proof};
use crate::imds::{self, Imds, ImdsQuery, Selector};
use crate::token::Token;
use crate::tokens::{Failure, Served, Settings, SourceError, Tokens};

/// A source of tokens for one identity. Cheap to clone; all clones share their tokens, and all change
/// with [`Credential::replace`].
#[derive(Clone, Debug)]
pub struct Credential {
    now: Arc<RwLock<Wallet>>,
}

/// A source and the tokens that came from it.
#[derive(Clone, Debug)]
struct Wallet {
    source: Arc<Source>,
    tokens: Tokens<String, Token, Error>,
}

/// Where a credential's tokens come from.
#[derive(Debug)]
enum Source {
    Managed { imds: Imds, by: Selector },
    Principal { entra: Entra, cloud: Cloud, tenant: String, client_id: String, proof: Proof },
    Cli(AzureCli),
}

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// From IMDS.
    #[error("no token of the managed identity: {0}")]
    Imds(#[from] imds::Error),
    /// From Entra.
    #[error("no token of the service principal: {0}")]
    Entra(#[from] entra::Error),
    /// From the Azure CLI.
    #[error(transparent)]
    AzureCli(#[from] CliError),
}

// === impl Credential ===

impl Credential {
    /// The credential that the configuration names.
    pub fn new(login: &Login, cloud: &Cloud, imds: Imds, entra: Entra) -> Self {
        match login {
            Login::ManagedIdentity(client) => Self::managed_identity(imds, client.clone()),
            Login::ServicePrincipal { tenant, client_id, secret } => {
                Self::service_principal(entra, cloud, tenant, client_id, Proof::Secret(secret.clone()))
            }
        }
    }

    /// The machine's identity with this client id, else its system-assigned one.
    pub fn managed_identity(imds: Imds, client: Option<ClientId>) -> Self {
        let by = client.map_or(Selector::None, Selector::ClientId);
        Self::of(Source::Managed { imds, by })
    }

    /// A service principal with any proof.
    pub fn service_principal(
        entra: Entra,
        cloud: &Cloud,
        tenant: &str,
        client_id: &str,
        proof: Proof,
    ) -> Self {
        let (tenant, client_id) = (tenant.to_owned(), client_id.to_owned());
        Self::of(Source::Principal { entra, cloud: cloud.clone(), tenant, client_id, proof })
    }

    /// Workload identity: the token in `file`, exchanged at Entra.
    pub fn token_file(entra: Entra, cloud: &Cloud, tenant: &str, client_id: &str, file: PathBuf) -> Self {
        Self::service_principal(entra, cloud, tenant, client_id, Proof::TokenFile(file))
    }

    /// Whoever logged in with the Azure CLI.
    pub fn azure_cli(cli: AzureCli) -> Self {
        Self::of(Source::Cli(cli))
    }

    fn of(source: Source) -> Self {
        let settings = Settings { capacity: 16, ..Settings::default() };
        let wallet = Wallet { source: Arc::new(source), tokens: Tokens::new(settings, TaskTracker::new()) };
        Self { now: Arc::new(RwLock::new(wallet)) }
    }

    /// Makes this credential and all its clones what `other` is. No token of before is used again.
    pub fn replace(&self, other: &Self) {
        let wallet = other.wallet();
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = wallet;
    }

    fn wallet(&self) -> Wallet {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token for `resource`.
    pub async fn token(&self, resource: &str) -> Result<Served<Token>, Failure<Error>> {
        let Wallet { source, tokens } = self.wallet();
        let wanted = resource.to_owned();
        tokens.get(&resource.to_owned(), move || async move { source.fetch(wanted).await }).await
    }

    /// Says that the audience refused `token`: the next one is fetched anew.
    pub fn refused(&self, resource: &str, token: &Arc<Token>) {
        self.wallet().tokens.discard(&resource.to_owned(), token);
    }
}

// === impl Source ===

impl Source {
    async fn fetch(&self, resource: String) -> Result<Token, Error> {
        match self {
            Self::Managed { imds, by } => {
                Ok(imds.token(&ImdsQuery { resource, by: by.clone(), fresh: false }).await?)
            }
            Self::Principal { entra, cloud, tenant, client_id, proof } => {
                let query = EntraQuery {
                    authority: cloud.endpoints.authority.clone(),
                    tenant: tenant.clone(),
                    client_id: client_id.clone(),
                    resource,
                };
                Ok(entra.token(&query, proof).await?)
            }
            Self::Cli(cli) => Ok(cli.token(&resource).await?),
        }
    }
}

impl SourceError for Error {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Imds(error) => error.retry_after(),
            Self::Entra(error) => error.retry_after(),
            Self::AzureCli(_) => None,
        }
    }
}
