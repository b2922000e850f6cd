//! Which credentials do the environment variables hold?

use std::path::PathBuf;

use podid_core::ids::ClientId;
use secrecy::SecretString;

use super::{Account, Error, Source, azure_cli, managed};
use crate::cloud::Cloud;
use crate::credential::Credential;
use crate::entra::certificate::Scheme;
use crate::entra::{Certificate, Entra, Proof};
use crate::http::Client;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// What the variables say.
#[derive(Debug)]
pub(super) struct Environment {
    /// Which sources may be tried.
    pub(super) chosen: Option<String>,
    tenant: Option<String>,
    client: Option<String>,
    secret: Option<SecretString>,
    certificate: Option<PathBuf>,
    password: Option<SecretString>,
    token_file: Option<PathBuf>,
    imds: Option<String>,
    path: Option<String>,
    subscription: Option<String>,
}

// === impl Environment ===

impl Environment {
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Self {
            chosen: set("AZURE_TOKEN_CREDENTIALS"),
            tenant: set(TENANT),
            client: set(CLIENT),
            secret: set(SECRET).map(SecretString::from),
            certificate: set(CERTIFICATE).map(PathBuf::from),
            password: set(PASSWORD).map(SecretString::from),
            token_file: set(TOKEN_FILE).map(PathBuf::from),
            imds: set("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
            path: set("PATH"),
            subscription: set("AZURE_SUBSCRIPTION_ID"),
        }
    }

    /// The credentials of `source`; the inner error says why there are none, the outer one what is wrong
    /// with them.
    pub(super) async fn open(
        &self,
        source: Source,
        http: &Client,
        cloud: &Cloud,
    ) -> Result<Result<Account, String>, Error> {
        match source {
            Source::Environment => self.principal(http, cloud).await,
            Source::TokenFile => self.token_file(http, cloud),
            Source::AzureCli => azure_cli(cloud, self.path.clone(), self.subscription.clone()).await,
            Source::ManagedIdentity => {
                let client = self.client.as_deref().and_then(|id| ClientId::parse(id).ok());
                managed(http, cloud, self.imds.clone(), client, self.subscription.clone()).await
            }
        }
    }

    async fn principal(&self, http: &Client, cloud: &Cloud) -> Result<Result<Account, String>, Error> {
        let (set, proof) = match (&self.secret, &self.certificate) {
            (Some(secret), _) => (SECRET, Proof::Secret(secret.clone())),
            (None, Some(path)) => {
                (CERTIFICATE, Proof::Certificate(read(path, self.password.as_ref()).await?))
            }
            (None, None) => return Ok(Err(format!("neither {SECRET} nor {CERTIFICATE} is set"))),
        };
        let (tenant, client) = self.application(set)?;
        let credential =
            Credential::service_principal(Entra::new(http.clone()), cloud, tenant, client, proof);
        Ok(Ok(self.account(credential, Source::Environment)))
    }

    fn token_file(&self, http: &Client, cloud: &Cloud) -> Result<Result<Account, String>, Error> {
        let Some(file) = self.token_file.clone() else { return Ok(Err(format!("{TOKEN_FILE} is not set"))) };
        let (tenant, client) = self.application(TOKEN_FILE)?;
        let credential = Credential::token_file(Entra::new(http.clone()), cloud, tenant, client, file);
        Ok(Ok(self.account(credential, Source::TokenFile)))
    }

    /// Tenant and application, which must be there when `set` is.
    fn application(&self, set: &'static str) -> Result<(&str, &str), Error> {
        let missing = |missing| Error::Incomplete { set, missing };
        let tenant = self.tenant.as_deref().ok_or_else(|| missing(TENANT))?;
        let client = self.client.as_deref().ok_or_else(|| missing(CLIENT))?;
        Ok((tenant, client))
    }

    fn account(&self, credential: Credential, source: Source) -> Account {
        Account { credential, source, subscription: self.subscription.clone() }
    }
}

/// The certificate in the file at `path`.
async fn read(path: &PathBuf, password: Option<&SecretString>) -> Result<Certificate, Error> {
    let unusable = |problem: String| Error::Certificate { path: path.clone(), problem };
    let bytes = tokio::fs::read(path).await.map_err(|error| unusable(format!("cannot be read: {error}")))?;
    Certificate::read(&bytes, password, Scheme::Ps256).map_err(|error| unusable(error.to_string()))
}
