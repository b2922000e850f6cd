//! What of Azure do the commands ask and write?
//!
//! [`Azure`] is the seam between the commands and ARM: tests play ARM behind it.

mod arm;

use std::future::Future;

use podid_azure::arm::{Reading, resource};
use podid_azure::cloud::InvalidCloud;
use podid_azure::login;
use podid_console::exit;
use podid_core::addon::AzureSide;
use podid_core::assign::Patch;
use podid_core::ids::{ComputeId, IdentityResourceId, PrincipalId};

pub use arm::Subscription;

/// Why Azure did not do it. Each says what to do next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is nobody in whose name it could be asked.
    #[error(transparent)]
    Login(#[from] login::Error),
    /// It is not known which Azure is meant.
    #[error("{0}")]
    Cloud(String),
    /// ARM refused, or did not answer.
    #[error(transparent)]
    Arm(#[from] resource::Error),
}

/// A cluster of AKS, as far as its own identities are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedCluster {
    /// Its ARM id.
    pub id: String,
    /// Object id of its control plane's identity.
    pub control_plane: Option<PrincipalId>,
    /// Object id of its nodes' own identity, which MIC uses.
    pub kubelet: Option<PrincipalId>,
    /// Resource group of its nodes.
    pub node_group: Option<String>,
    /// Its network plugin.
    pub network_plugin: Option<String>,
    /// Whether the add-on of AKS itself is on.
    pub has_addon: bool,
}

/// What is asked of ARM. Every call ends by itself.
pub trait Azure: Send + Sync {
    /// The identity; none if it does not exist.
    fn identity(
        &self,
        id: &IdentityResourceId,
    ) -> impl Future<Output = Result<Option<AzureSide>, Error>> + Send;

    /// Whether `principal` has Managed Identity Operator on the identity, granted there or above it.
    fn has_role(
        &self,
        on: &IdentityResourceId,
        principal: &PrincipalId,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Grants Managed Identity Operator on the identity to `principal`; one that exists is fine.
    fn grant(
        &self,
        on: &IdentityResourceId,
        principal: &PrincipalId,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Who manages the resource group, such as a cluster its nodes' group; none if nobody.
    fn manager_of_group(
        &self,
        subscription: &str,
        group: &str,
    ) -> impl Future<Output = Result<Option<String>, Error>> + Send;

    /// The cluster of that name; none if it does not exist.
    fn cluster(
        &self,
        subscription: &str,
        group: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<ManagedCluster>, Error>> + Send;

    /// What is on a VM or scale set.
    fn on(&self, target: &ComputeId) -> impl Future<Output = Result<Reading, Error>> + Send;

    /// Changes that; returns when it is in effect, or without `wait` as soon as ARM took it.
    fn patch(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
        wait: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

// === impl Azure for references ===

impl<A: Azure> Azure for &A {
    async fn identity(&self, id: &IdentityResourceId) -> Result<Option<AzureSide>, Error> {
        (**self).identity(id).await
    }

    async fn has_role(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<bool, Error> {
        (**self).has_role(on, principal).await
    }

    async fn grant(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<(), Error> {
        (**self).grant(on, principal).await
    }

    async fn manager_of_group(&self, subscription: &str, group: &str) -> Result<Option<String>, Error> {
        (**self).manager_of_group(subscription, group).await
    }

    async fn cluster(
        &self,
        subscription: &str,
        group: &str,
        name: &str,
    ) -> Result<Option<ManagedCluster>, Error> {
        (**self).cluster(subscription, group, name).await
    }

    async fn on(&self, target: &ComputeId) -> Result<Reading, Error> {
        (**self).on(target).await
    }

    async fn patch(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
        wait: bool,
    ) -> Result<(), Error> {
        (**self).patch(target, patch, etag, wait).await
    }
}

// === impl Error ===

impl Error {
    /// The code with which the process ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Cloud(_) => exit::USAGE,
            Self::Login(_) => exit::NOT_LOOKED_AT,
            Self::Arm(error) if error.is_silence() => exit::NOT_LOOKED_AT,
            Self::Arm(_) => exit::NOT_FINE,
        }
    }

    /// Whether what was asked about does not exist.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Arm(resource::Error::NotFound { .. }))
    }

    /// Whether whoever asks may not.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self, Self::Arm(resource::Error::Denied(_) | resource::Error::Refused { .. }))
    }
}

impl From<InvalidCloud> for Error {
    fn from(error: InvalidCloud) -> Self {
        Self::Cloud(error.to_string())
    }
}
