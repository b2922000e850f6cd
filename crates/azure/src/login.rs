//! With whose credentials does a command speak to Azure?
//!
//! The sources that Azure's SDKs try (`DefaultAzureCredential`), in this order: a service principal in the
//! environment (secret or certificate), a federated token file, the Azure CLI, a managed identity of this
//! machine. A source that is not set up is passed over; one that is and fails ends the search, so that
//! nothing is done in somebody else's name. `AZURE_TOKEN_CREDENTIALS` chooses one, as in the SDKs.

mod environment;
mod error;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use podid_core::ids::ClientId;

use crate::cloud::{CUSTOM_FILE_VARIABLE, Cloud, InvalidCloud};
use crate::credential::{self, AzureCli, Credential};
use crate::http::Client;
use crate::imds::{self, Imds};
use crate::tokens::Failure;

use environment::Environment;
pub use error::{Error, Passed};

/// Names the cloud.
pub const CLOUD_VARIABLE: &str = "AZURE_CLOUD";

/// Longest time for a first answer of IMDS, which is next door or nowhere.
const IMDS_WITHIN: Duration = Duration::from_secs(3);

/// A place where credentials are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH`.
    Environment,
    /// `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`.
    TokenFile,
    /// `az login`.
    AzureCli,
    /// IMDS; `AZURE_CLIENT_ID` chooses the identity.
    ManagedIdentity,
}

/// Whose credentials were found, and what is known along with them.
#[derive(Clone, Debug)]
pub struct Account {
    /// Gives tokens.
    pub credential: Credential,
    /// Where they were found.
    pub source: Source,
    /// The subscription that is meant where none is said: `AZURE_SUBSCRIPTION_ID`, or the CLI's current one.
    pub subscription: Option<String>,
}

/// The cloud that `named` names (an argument), else `AZURE_CLOUD`, else the public one. A custom cloud,
/// `AzureStackCloud`, is described by the file in `AZURE_ENVIRONMENT_FILEPATH`.
pub fn cloud(named: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Cloud, InvalidCloud> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let name = named.map(str::to_owned).or_else(|| set(CLOUD_VARIABLE));
    let file = set(CUSTOM_FILE_VARIABLE);
    name.map_or_else(|| Ok(Cloud::public()), |name| Cloud::parse(name.trim(), file.as_deref().map(Path::new)))
}

/// Finds whose credentials to use for `cloud`. Asks the Azure CLI and IMDS for a token, if it comes to that.
pub async fn find(
    http: &Client,
    cloud: &Cloud,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Account, Error> {
    let environment = Environment::read(variable);
    let sources = Source::chosen(environment.chosen.as_deref())?;
    let mut passed = Vec::new();
    for source in sources {
        match environment.open(source, http, cloud).await? {
            Ok(account) => return Ok(account),
            Err(why) => passed.push(Passed { source, why }),
        }
    }
    Err(Error::Nobody(passed))
}

// === impl Source ===

impl Source {
    const ALL: [Self; 4] = [Self::Environment, Self::TokenFile, Self::AzureCli, Self::ManagedIdentity];

    /// The sources that `AZURE_TOKEN_CREDENTIALS` leaves, in the order in which they are tried.
    fn chosen(choice: Option<&str>) -> Result<Vec<Self>, Error> {
        let Some(choice) = choice else { return Ok(Self::ALL.to_vec()) };
        let named: &[Self] = match choice.to_ascii_lowercase().as_str() {
            "dev" | "azureclicredential" => &[Self::AzureCli],
            "prod" => &[Self::Environment, Self::TokenFile, Self::ManagedIdentity],
            "environmentcredential" => &[Self::Environment],
            "workloadidentitycredential" => &[Self::TokenFile],
            "managedidentitycredential" => &[Self::ManagedIdentity],
            _ => return Err(Error::Choice(choice.to_owned())),
        };
        Ok(named.to_vec())
    }

    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "service principal in the environment",
            Self::TokenFile => "federated token file",
            Self::AzureCli => "Azure CLI",
            Self::ManagedIdentity => "managed identity",
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The login of the Azure CLI, or why there is none.
async fn azure_cli(
    cloud: &Cloud,
    path: Option<String>,
    subscription: Option<String>,
) -> Result<Result<Account, String>, Error> {
    let cli = AzureCli::new(path.map(Into::into));
    let credential = Credential::azure_cli(cli.clone());
    match credential.token(&cloud.endpoints.resource_manager).await {
        Ok(_) => {
            let subscription = subscription.or_else(|| cli.account().subscription);
            Ok(Ok(Account { credential, source: Source::AzureCli, subscription }))
        }
        Err(failure) => match cli_error(&failure) {
            Some(why @ (credential::CliError::NotInstalled | credential::CliError::NotLoggedIn)) => {
                Ok(Err(why.to_string()))
            }
            _ => Err(Error::Failed { from: Source::AzureCli, failure }),
        },
    }
}

fn cli_error(failure: &Failure<credential::Error>) -> Option<&credential::CliError> {
    match failure {
        Failure::Source { error, .. } => match error.as_ref() {
            credential::Error::AzureCli(error) => Some(error),
            _ => None,
        },
        Failure::Abandoned => None,
    }
}

/// A managed identity of this machine, or why there is none.
async fn managed(
    http: &Client,
    cloud: &Cloud,
    base: Option<String>,
    client: Option<ClientId>,
    subscription: Option<String>,
) -> Result<Result<Account, String>, Error> {
    let imds = Imds::new(http.clone(), base.unwrap_or_else(|| imds::DEFAULT_BASE.to_owned()));
    let credential = Credential::managed_identity(imds, client);
    let asked = credential.token(&cloud.endpoints.resource_manager);
    let Ok(answer) = tokio::time::timeout(IMDS_WITHIN, asked).await else {
        return Ok(Err("this machine has none (IMDS does not answer)".to_owned()));
    };
    match answer {
        Ok(_) => Ok(Ok(Account { credential, source: Source::ManagedIdentity, subscription })),
        Err(Failure::Source { error, .. }) if is_absent(&error) => Ok(Err(error.to_string())),
        Err(failure) => Err(Error::Failed { from: Source::ManagedIdentity, failure }),
    }
}

/// Whether IMDS is not there, or has no identity: the rest are troubles of an identity that is there.
fn is_absent(error: &credential::Error) -> bool {
    matches!(
        error,
        credential::Error::Imds(
            imds::Error::IdentityNotFound | imds::Error::Unavailable { .. } | imds::Error::Refused { .. }
        )
    )
}
