//! Where does the token of an identity come from?
//!
//! One file per source, behind one cache. Whether the caller may have the token is not asked here:
//! it was decided for this very request before (design §4).

mod forget;
mod kept;
mod managed;
mod principal;
mod secret;
mod setback;

use std::sync::Arc;
use std::time::Duration;

use podid_azure::cloud::AllowedAuthorities;
use podid_azure::cloud::Authority;
use podid_azure::entra::Entra;
use podid_azure::imds::Imds;
use podid_azure::pace::{Place, Refused};
use podid_azure::tokens::{Failure, Served, Settings, SourceError, Tokens, Want};
use podid_core::facts::{Identity, IdentityKind};
use podid_core::ids::{IdentityResourceId, Uid};
use podid_core::request::TokenRequest;
use podid_core::retry::Policy;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;
use crate::pace::{Asker, Paces};

pub(crate) use kept::Kept;
pub use secret::{KubeSecrets, ReadSecret};
pub(crate) use setback::{Setback, setback};

/// Longest pause between two questions to a source that fails: holds are 50 s at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// All sources and their cache.
pub struct Source {
    tokens: Tokens<Key, Kept, Error>,
    imds: Imds,
    entra: Entra,
    /// The authority of identities that name none.
    authority: Authority,
    allowed: AllowedAuthorities,
    auxiliary_tenants: bool,
    secrets: secret::Secrets,
    paces: Paces,
    metrics: Metrics,
}

/// What a source needs from outside.
pub struct Upstreams {
    /// The client of IMDS.
    pub imds: Imds,
    /// The client of Entra.
    pub entra: Entra,
    /// The authority of identities that name none.
    pub authority: Authority,
    /// The authorities that identities may name.
    pub allowed: AllowedAuthorities,
    /// Whether tokens of auxiliary tenants are sent along with the primary one.
    pub auxiliary_tenants: bool,
    /// Reads Secrets.
    pub secrets: Arc<dyn ReadSecret>,
    /// How often all of them are asked.
    pub paces: Paces,
}

/// What two requests must have in common to get the same token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// A managed identity is what its resource id says, whoever binds it.
    Managed { id: IdentityResourceId, resource: String },
    /// A service principal is what its object and its Secret say, at this very version of both, so
    /// that a same-named one elsewhere with a wrong Secret never meets a foreign token.
    Principal { identity: Uid, spec_hash: u64, secret: Uid, version: String, resource: String },
}

/// No token, and when to ask again.
pub(crate) type Failed = Failure<Error>;

/// Why a source gave no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// IMDS's reason.
    #[error(transparent)]
    Imds(#[from] podid_azure::imds::Error),
    /// Entra's reason.
    #[error(transparent)]
    Entra(#[from] podid_azure::entra::Error),
    /// Nobody was asked: others have their turn first.
    #[error(transparent)]
    Busy(#[from] Refused),
    /// The identity's objects have to be changed before it can have tokens.
    #[error("{0}")]
    Unusable(String),
    /// The Kubernetes API did not give the Secret this time.
    #[error("{0}")]
    SecretUnread(String),
}

// === impl Source ===

impl Source {
    /// Sources whose fetches run as tasks of `tasks`.
    pub fn new(upstreams: Upstreams, metrics: Metrics, tasks: TaskTracker) -> Self {
        let defaults = Settings::default();
        let settings = Settings { backoff: Policy { cap: LONGEST_PAUSE, ..defaults.backoff }, ..defaults };
        Self {
            tokens: Tokens::new(settings, tasks),
            imds: upstreams.imds,
            entra: upstreams.entra,
            authority: upstreams.authority,
            allowed: upstreams.allowed,
            auxiliary_tenants: upstreams.auxiliary_tenants,
            secrets: secret::Secrets::new(upstreams.secrets),
            paces: upstreams.paces,
            metrics,
        }
    }

    /// A token of `identity` as `wanted`, for `asker`.
    pub(crate) async fn token(
        &self,
        identity: &Identity,
        wanted: &TokenRequest,
        asker: &Asker,
    ) -> Result<Served<Kept>, Failed> {
        match &identity.kind {
            Ok(IdentityKind::Managed { resource_id, client_id }) => {
                self.managed(identity, resource_id, client_id, wanted, asker).await
            }
            Ok(IdentityKind::ServicePrincipal { .. }) => {
                Box::pin(self.principal(identity, wanted, asker)).await
            }
            Err(invalid) => Err(unusable(format!("AzureIdentity {} cannot be used: {invalid}", identity.id))),
        }
    }
}

fn want(wanted: &TokenRequest) -> Want {
    if wanted.fresh { Want::Fresh } else { Want::Any }
}

/// A failure that no cache has to remember.
fn unusable(reason: String) -> Failed {
    Failed::Source { error: Arc::new(Error::Unusable(reason)), retry_after: Duration::ZERO }
}

/// A place in the line, for a fetch that is about to begin.
fn place(of: Result<Place<Asker>, Refused>) -> Result<Place<Asker>, Failed> {
    of.map_err(|refused| Failed::Source {
        error: Arc::new(Error::Busy(refused)),
        retry_after: refused.retry_after(),
    })
}

// === impl Error ===

impl SourceError for Error {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Imds(error) => error.retry_after(),
            Self::Entra(error) => error.retry_after(),
            Self::Busy(_) | Self::Unusable(_) | Self::SecretUnread(_) => None,
        }
    }
}
