//! In which ways can a command end without doing what it should, and with which exit code?

use std::time::Duration;

use podid_console::exit;
use podid_core::addon::Refusal;
use podid_core::addon::state::Standing;
use podid_core::ids::{IdentityResourceId, PrincipalId};
use podid_kube::call::CallError;
use podid_kube::pod_identities::NotInstalled;

use crate::azure;

/// Why a command did not do what it should. Each says what happened, to which object, and what next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be, as things are; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Azure has no such identity; nothing was written.
    #[error(
        "identity {0} does not exist in Azure, or you may not see it; make it with: \
         az identity create --name NAME --resource-group GROUP, or correct --identity-resource-id"
    )]
    NoIdentity(IdentityResourceId),
    /// The cluster's own identity is not what it should be; nothing was written.
    #[error(transparent)]
    Owner(#[from] crate::owner::Error),
    /// Azure refused, or did not answer.
    #[error(transparent)]
    Azure(#[from] azure::Error),
    /// podid is not installed.
    #[error(transparent)]
    NotInstalled(NotInstalled),
    /// The cluster refused, or did not answer.
    #[error("{}", in_words(.0))]
    Cluster(#[from] CallError),
    /// A node is on no VM or scale set.
    #[error("node {node}: {problem}; podid can put identities on Azure's VMs and scale sets only")]
    Node {
        /// The node.
        node: String,
        /// Why not.
        problem: String,
    },
    /// There is no node yet.
    #[error("the cluster has no Linux node yet, so there is nothing to put the identity on; add a node pool")]
    NoNodes,
    /// A VM or scale set must not be written.
    #[error("{target} cannot be changed: {problem}")]
    Target {
        /// The VM or scale set.
        target: String,
        /// Why not.
        problem: String,
    },
    /// Azure took the grant and does not show it.
    #[error(
        "the role for {to} on {on} was granted, but Azure does not list it after {} s; run the same command \
         again in a few minutes", waited.as_secs()
    )]
    NotGranted {
        /// To whom.
        to: PrincipalId,
        /// On what.
        on: IdentityResourceId,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Others write all the time.
    #[error("somebody else keeps changing the same objects: {0}; run the same command again in a moment")]
    Contended(String),
    /// Everything is written, and it is still not of use.
    #[error("everything is written, but it is {}: {}", .0.state, why(.0))]
    NotOfUse(Standing),
    /// Everything is written, and something is still there.
    #[error("everything is deleted, but {0}")]
    StillThere(String),
}

// === impl Error ===

impl Error {
    /// The code with which the process ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Azure(error) | Self::Owner(crate::owner::Error::Azure(error)) => error.exit_code(),
            Self::Cluster(CallError::Unavailable { .. } | CallError::Unknown { .. })
            | Self::NotInstalled(NotInstalled::Call(
                CallError::Unavailable { .. } | CallError::Unknown { .. },
            )) => exit::NOT_LOOKED_AT,
            _ => exit::NOT_FINE,
        }
    }
}

impl From<NotInstalled> for Error {
    fn from(error: NotInstalled) -> Self {
        match error {
            NotInstalled::Call(error) => Self::Cluster(error),
            NotInstalled::Absent => Self::NotInstalled(error),
        }
    }
}

/// The error of a call, in words for a person: those for a service account would mislead.
fn in_words(error: &CallError) -> String {
    match error {
        CallError::Forbidden { what, problem } => format!(
            "{what}: you may not ({problem}); ask whoever gives rights in the cluster, or name another \
             user with --context"
        ),
        CallError::Unavailable { what, problem, .. } => {
            format!("{what}: the cluster cannot be reached: {problem}; check --kubeconfig and --context")
        }
        CallError::Absent { what } if what.starts_with("create Azure") => {
            format!(
                "{what}: the cluster does not know this kind, or the namespace is gone; run: podid crds apply"
            )
        }
        other => other.to_string(),
    }
}

fn why(standing: &Standing) -> &str {
    standing.why.as_ref().map_or("no reason is known", |why| why.message.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_known_has_a_code_of_its_own() {
        let what = || "list nodes".to_owned();
        let unavailable = CallError::Unavailable { what: what(), problem: "x".into(), retry_after: None };
        assert_eq!(Error::from(unavailable).exit_code(), exit::NOT_LOOKED_AT);
        let expired = CallError::Unknown { what: what(), problem: "Unauthorized".into() };
        assert_eq!(Error::from(NotInstalled::Call(expired)).exit_code(), exit::NOT_LOOKED_AT);
        let forbidden = Error::from(CallError::Forbidden { what: what(), problem: "no".into() });
        assert_eq!(forbidden.exit_code(), exit::NOT_FINE);
        assert!(!forbidden.to_string().contains("service account"), "{forbidden}");
        assert_eq!(Error::NoNodes.exit_code(), exit::NOT_FINE);
        let undefined = Error::from(CallError::Absent { what: "create AzureIdentity a/b".into() });
        assert!(undefined.to_string().ends_with("podid crds apply"), "{undefined}");
    }
}
