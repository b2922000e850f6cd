//! How does a managed identity get its token? From IMDS, asked by resource id.
//!
//! The identity's `clientID` is what its author claims; asking by it would give any identity of the
//! machine (W-04). The answer's client id must agree with it instead.

use std::time::Duration;

use podid_azure::imds::{Error as ImdsError, ImdsQuery, Selector};
use podid_azure::pace::Place;
use podid_azure::tokens::{Failure, Served};
use podid_core::facts::Identity;
use podid_core::ids::{ClientId, IdentityResourceId};
use podid_core::request::TokenRequest;
use tokio::time::Instant;

use super::{Kept, Key, Source, place, unusable, want};
use crate::metrics::{Trouble, Upstream};
use crate::pace::{Asker, LONGEST_PAUSE, Part, UNTOLD};

/// The original's name of this call (peer contract §6).
const OPERATION: &str = "adal_token_msi_userassignedid";

impl Source {
    pub(super) async fn managed(
        &self,
        identity: &Identity,
        id: &IdentityResourceId,
        client_id: &ClientId,
        wanted: &TokenRequest,
        asker: &Asker,
    ) -> Result<Served<Kept>, Failure<super::Error>> {
        let key = Key::Managed { id: id.clone(), resource: wanted.resource.clone() };
        let line = self.paces.imds(Part::Tokens);
        let admit = || place(line.enter(asker));
        let fetch = |mut place: Place<Asker>| {
            let query = ImdsQuery {
                resource: wanted.resource.clone(),
                by: Selector::ResourceId(id.clone()),
                fresh: wanted.fresh,
            };
            let (imds, metrics, claimed) = (self.imds.clone(), self.metrics.clone(), client_id.clone());
            let line = line.clone();
            async move {
                let queued = metrics.queue(Upstream::Imds);
                place.turn().await?;
                drop(queued);
                let begun = Instant::now();
                let answer = imds.token(&query).await;
                metrics.source_call(OPERATION, begun.elapsed(), answer.is_ok());
                metrics.upstream(Upstream::Imds, begun.elapsed(), answer.as_ref().err().map(Trouble::from));
                if let Some(pause) = answer.as_ref().err().and_then(pause) {
                    line.close(pause);
                }
                Ok(Kept::new(answer?, &claimed))
            }
        };
        let served = self.tokens.get_if(&key, want(wanted), admit, fetch).await?;
        // Behind the cache: another AzureIdentity may claim another client id for the same resource id.
        let told = served.value.as_ref().as_ref().client_id.as_ref();
        if told == Some(client_id) {
            return Ok(served);
        }
        Err(unusable(format!(
            "AzureIdentity {} cannot be used: IMDS does not give {id} the client id in spec.clientID. \
             Correct spec.clientID or spec.resourceID.",
            identity.id
        )))
    }
}

/// How long nobody of this node shall ask IMDS: its limit is the machine's, not the identity's.
fn pause(error: &ImdsError) -> Option<Duration> {
    let asked = match error {
        ImdsError::Throttled { retry_after } => Some(retry_after.unwrap_or(UNTOLD)),
        ImdsError::Unavailable { retry_after, .. } => *retry_after,
        ImdsError::IdentityNotFound | ImdsError::Refused { .. } => None,
    };
    asked.map(|asked| asked.min(LONGEST_PAUSE))
}
