//! What of Azure do the commands ask and write?
//!
//! [`Azure`] is the seam between the commands and ARM: tests play ARM behind it.

use std::future::Future;

use podid_azure::arm::Reading;
use podid_console::exit;
use podid_core::addon::AzureSide;
use podid_core::addon::grant::Assignment;
use podid_core::assign::Patch;
use podid_core::ids::{ComputeId, IdentityResourceId, PrincipalId};

/// Why Azure did not do it; one variant per reaction.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no credential, or it is not accepted: log in.
    #[error("cannot log in to Azure: {0}")]
    Login(String),
    /// Azure cannot be reached, or is unwell: later.
    #[error("{what}: {problem}; run the same command again later")]
    Unavailable {
        /// What was tried.
        what: String,
        /// What went wrong.
        problem: String,
    },
    /// The person who asks lacks a right.
    #[error("{what}: you may not: {problem}; you need {need}")]
    Denied {
        /// What was tried.
        what: String,
        /// ARM's words.
        problem: String,
        /// The role that has the right.
        need: &'static str,
    },
    /// Somebody else wrote meanwhile: look again.
    #[error("{what}: changed by somebody else meanwhile: {problem}")]
    Conflict {
        /// What was tried.
        what: String,
        /// ARM's words.
        problem: String,
    },
    /// What is asked about does not exist.
    #[error("{what}: {target} does not exist in Azure")]
    Absent {
        /// What was tried.
        what: String,
        /// What is not there.
        target: String,
    },
    /// Azure refuses; trying again cannot help.
    #[error("{what}: Azure refuses: {problem}")]
    Refused {
        /// What was tried.
        what: String,
        /// ARM's words.
        problem: String,
    },
}

/// A cluster of AKS, as far as its own identities are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedCluster {
    /// Its ARM id.
    pub id: String,
    /// `identity.type`, as ARM writes it.
    pub identity_type: String,
    /// Object id of its control plane's identity.
    pub control_plane: Option<PrincipalId>,
    /// Object id of its nodes' own identity, which MIC uses.
    pub kubelet: Option<PrincipalId>,
    /// Resource group of its nodes.
    pub node_group: String,
}

/// What is asked of ARM. Every call ends by itself.
pub trait Azure: Send + Sync {
    /// The identity; none if it does not exist.
    fn identity(
        &self,
        id: &IdentityResourceId,
    ) -> impl Future<Output = Result<Option<AzureSide>, Error>> + Send;

    /// The role assignments that count on the identity and that `principal` has.
    fn grants(
        &self,
        on: &IdentityResourceId,
        principal: &PrincipalId,
    ) -> impl Future<Output = Result<Vec<Assignment>, Error>> + Send;

    /// Grants Managed Identity Operator on the identity to `principal`; one that exists is fine.
    fn grant(
        &self,
        on: &IdentityResourceId,
        principal: &PrincipalId,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Who manages the resource group, such as a cluster its nodes' group; none if nobody, or it does not exist.
    fn manager_of_group(
        &self,
        subscription: &str,
        group: &str,
    ) -> impl Future<Output = Result<Option<String>, Error>> + Send;

    /// The cluster with this ARM id; none if it does not exist.
    fn cluster(&self, id: &str) -> impl Future<Output = Result<Option<ManagedCluster>, Error>> + Send;

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

    async fn grants(
        &self,
        on: &IdentityResourceId,
        principal: &PrincipalId,
    ) -> Result<Vec<Assignment>, Error> {
        (**self).grants(on, principal).await
    }

    async fn grant(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<(), Error> {
        (**self).grant(on, principal).await
    }

    async fn manager_of_group(&self, subscription: &str, group: &str) -> Result<Option<String>, Error> {
        (**self).manager_of_group(subscription, group).await
    }

    async fn cluster(&self, id: &str) -> Result<Option<ManagedCluster>, Error> {
        (**self).cluster(id).await
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
            Self::Login(_) | Self::Unavailable { .. } => exit::NOT_LOOKED_AT,
            Self::Denied { .. } | Self::Conflict { .. } | Self::Absent { .. } | Self::Refused { .. } => {
                exit::NOT_FINE
            }
        }
    }
}
