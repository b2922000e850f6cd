//! In which ways can podid fail to be turned on or off?

use std::time::Duration;

use podid_console::exit;
use podid_core::addon::enable::{Problem, Stays};
use podid_kube::definitions::DefinitionError;
use podid_kube::manifests::Unwritable;

/// Why it was not done. Each says what happened and what next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster is not one for podid, as it is; nothing was written.
    #[error("podid cannot be turned on here:{}", list(.0))]
    Prerequisites(Vec<Problem>),
    /// It is in use, or not ours to remove; nothing was written.
    #[error("podid stays on: {0}")]
    Stays(Stays),
    /// A kind could not be defined.
    #[error(transparent)]
    Definition(DefinitionError),
    /// The manifests cannot be made; a defect of podid.
    #[error(transparent)]
    Unwritable(Unwritable),
    /// Everything is written, and not every node has its agent.
    #[error(
        "everything is applied, but podid does not run on every node after {} s: {why}; see kubectl describe pods -n \
         kube-system -l 'component in (mic,nmi)', and run this again to wait on", waited.as_secs()
    )]
    NotReady {
        /// How long it was waited for.
        waited: Duration,
        /// What is missing.
        why: String,
    },
    /// A call failed.
    #[error(transparent)]
    Other(#[from] crate::Error),
}

// === impl Error ===

impl Error {
    /// The code with which the process ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Other(error) => error.exit_code(),
            _ => exit::NOT_FINE,
        }
    }
}

/// One problem stands in the line, several below each other.
fn list(problems: &[Problem]) -> String {
    match problems {
        [only] => format!(" {only}"),
        many => many.iter().map(|problem| format!("\n- {problem}")).collect(),
    }
}

macro_rules! through {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Other(error.into())
            }
        }
    )*};
}

through!(crate::owner::Error, crate::azure::Error, podid_kube::call::CallError);
