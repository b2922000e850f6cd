//! How does a service principal get its token? From Entra, with the credential in its Secret.

use std::sync::Arc;

use podid_azure::cloud::Authority;
use podid_azure::entra::{EntraQuery, Error as EntraError};
use podid_azure::pace::Place;
use podid_azure::tokens::{Failure, Served};
use podid_core::facts::{CredentialKind, Identity, IdentityKind};
use podid_core::ids::ObjectRef;
use podid_core::request::TokenRequest;
use tokio::time::Instant;

use super::{Error, Kept, Key, Source, place, unusable, want};
use crate::metrics::{Trouble, Upstream};
use crate::pace::Asker;

/// The original's name of this call (peer contract §6).
const OPERATION: &str = "adal_token";

/// Auxiliary tenants that a request to Azure may have.
const MOST_AUXILIARY: usize = 3;

impl Source {
    pub(super) async fn principal(
        &self,
        identity: &Identity,
        wanted: &TokenRequest,
        asker: &Asker,
    ) -> Result<Served<Kept>, Failure<Error>> {
        let Ok(IdentityKind::ServicePrincipal {
            client_id,
            tenant,
            secret,
            credential,
            authority,
            auxiliary_tenants,
        }) = &identity.kind
        else {
            return Err(unusable(format!("AzureIdentity {} is no service principal", identity.id)));
        };
        let authority = self.authority(authority.as_deref()).map_err(|problem| {
            unusable(format!("AzureIdentity {} cannot be used: {problem}.", identity.id))
        })?;
        // The Secret's namespace is not the author's to choose (W-02).
        let secret = ObjectRef::new(identity.id.namespace.clone(), secret.clone());
        let read = self.secrets.read(&secret, *credential, &self.metrics).await?;
        let key = Key::Principal {
            identity: identity.uid.clone(),
            spec_hash: identity.spec_hash,
            secret: read.uid.clone(),
            version: read.version.clone(),
            resource: wanted.resource.clone(),
        };
        let query = EntraQuery {
            authority,
            tenant: tenant.to_string(),
            client_id: client_id.as_str().to_owned(),
            resource: wanted.resource.clone(),
        };
        let auxiliary = self.auxiliary(*credential, auxiliary_tenants).map_err(|problem| {
            unusable(format!("AzureIdentity {} cannot be used: {problem}.", identity.id))
        })?;
        let (entra, metrics, client_id) = (self.entra.clone(), self.metrics.clone(), client_id.clone());
        let admit = || place(self.paces.entra.enter(asker));
        let fetch = move |mut place: Place<Asker>| async move {
            let queued = metrics.queue(Upstream::Entra);
            place.turn().await?;
            drop(queued);
            let begun = Instant::now();
            let answer: Result<_, EntraError> = entra.token(&query, &read.proof).await;
            metrics.source_call(OPERATION, begun.elapsed(), answer.is_ok());
            metrics.upstream(Upstream::Entra, begun.elapsed(), answer.as_ref().err().map(Trouble::from));
            let (token, mut more) = (answer?, vec![]);
            for tenant in auxiliary {
                let query = EntraQuery { tenant, ..query.clone() };
                more.push(entra.token(&query, &read.proof).await?);
            }
            Ok(Kept::with(token, more, &client_id))
        };
        self.tokens.get_if(&key, want(wanted), admit, fetch).await
    }

    /// The further tenants whose tokens are sent along, if that is wanted. With a certificate the original sends none
    /// either.
    fn auxiliary(&self, credential: CredentialKind, named: &[Arc<str>]) -> Result<Vec<String>, String> {
        if !self.auxiliary_tenants || credential != CredentialKind::Password {
            return Ok(vec![]);
        }
        if named.len() > MOST_AUXILIARY {
            return Err(format!(
                "spec.auxiliaryTenantIDs has {} entries, and Azure takes {MOST_AUXILIARY} at most",
                named.len()
            ));
        }
        Ok(named.iter().map(ToString::to_string).collect())
    }

    fn authority(&self, named: Option<&str>) -> Result<Authority, String> {
        match named {
            None => Ok(self.authority.clone()),
            Some(text) => self.allowed.check(text).map_err(|invalid| format!("spec.adEndpoint: {invalid}")),
        }
    }
}
