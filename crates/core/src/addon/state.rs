//! Could a pod get a token of this pod identity now, and if not, why?
//!
//! Nothing is remembered: the answer is made of what the cluster and Azure say at this moment. The words
//! are those of the add-on (`provisioningState`), and [`State::Unknown`] where Azure could not be asked.

use std::fmt;

use super::{AzureSide, Held, OnNodes};
use crate::facts::{Assignment, AssignmentState, Binding, Identity, IdentityKind};
use crate::ids::ComputeId;

/// Who puts identities on nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MIC, when a pod needs them.
    Standard,
    /// The command that adds them.
    Managed,
}

/// The add-on's word for how a pod identity stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A pod gets a token.
    Assigned,
    /// Something is under way.
    Updating,
    /// It is being taken away.
    Deleting,
    /// No pod gets a token until somebody does something.
    Failed,
    /// Azure could not be asked.
    Unknown,
}

/// A state and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Why it is not [`State::Assigned`].
    pub why: Option<Why>,
}

/// Why a pod identity is not (yet) of use; says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// One word for programs.
    pub code: &'static str,
    /// One sentence for people.
    pub message: String,
}

/// What Azure says about the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// It was not asked, or did not answer, for this reason.
    NotKnown(String),
    /// There is no such identity.
    Missing,
    /// It is there, and stands so with each VM or scale set where it has to be.
    There(AzureSide, Vec<(ComputeId, OnNodes)>),
}

/// How the pod identity `held` stands.
///
/// `bindings` are those that name it; `assignments` those of MIC for it.
pub fn state(
    held: &Held<Identity>,
    bindings: &[&Binding],
    assignments: &[&Assignment],
    mode: Mode,
    remote: &Remote,
) -> Standing {
    if held.terminating {
        let message = "the AzureIdentity is being deleted".to_owned();
        return Standing::of(State::Deleting, "Deleting", message);
    }
    let kind = match &held.fact.kind {
        Ok(kind) => kind,
        Err(why) => return Standing::failed("InvalidIdentity", why.to_string()),
    };
    if bindings.is_empty() {
        let message = "no AzureIdentityBinding names it, so no pod may use it; run the same podid add again";
        return Standing::failed("NoBinding", message.to_owned());
    }
    let IdentityKind::Managed { client_id, .. } = kind else { return Standing::assigned() };
    match remote {
        Remote::Missing => {
            let message = "Azure has no such identity; make it again and run the same podid add, or \
                           take this away with podid delete";
            return Standing::failed("IdentityNotFound", message.to_owned());
        }
        Remote::There(side, _) if side.client != *client_id => {
            let message = format!(
                "its clientID is {client_id}, and Azure says {}: the identity was made anew; run the \
                 same podid add again",
                side.client
            );
            return Standing::failed("ClientIdDiffers", message);
        }
        Remote::There(..) | Remote::NotKnown(_) => {}
    }
    match mode {
        Mode::Standard => assigned_by_mic(assignments),
        Mode::Managed => on_nodes(remote),
    }
}

/// MIC puts it on a node with the first pod there, so without pods nothing is missing.
fn assigned_by_mic(assignments: &[&Assignment]) -> Standing {
    let waiting = assignments.iter().filter(|one| one.state != AssignmentState::Assigned);
    match waiting.clone().next() {
        None => Standing::assigned(),
        Some(first) => {
            let others = waiting.count() - 1;
            let more = if others == 0 { String::new() } else { format!(" and of {others} more") };
            let message = format!(
                "MIC is at the assignment of pod {}{more}; its events say more: kubectl describe \
                 azureassignedidentity {} --namespace {}",
                first.pod, first.id.name, first.id.namespace
            );
            Standing::of(State::Updating, "AssignmentUnderWay", message)
        }
    }
}

fn on_nodes(remote: &Remote) -> Standing {
    let nodes = match remote {
        Remote::There(_, nodes) => nodes,
        Remote::NotKnown(why) => return Standing::of(State::Unknown, "AzureNotAsked", why.clone()),
        Remote::Missing => return Standing::failed("IdentityNotFound", String::new()),
    };
    let lacking: Vec<&str> = nodes
        .iter()
        .filter(|(_, state)| matches!(state, OnNodes::Absent | OnNodes::Stale))
        .map(|(target, _)| target.name())
        .collect();
    if lacking.is_empty() {
        return Standing::assigned();
    }
    let message = format!("it is not on {}; run the same podid add again", lacking.join(", "));
    Standing::failed("NotOnNodes", message)
}

// === impl Standing ===

impl Standing {
    fn assigned() -> Self {
        Self { state: State::Assigned, why: None }
    }

    fn failed(code: &'static str, message: String) -> Self {
        Self::of(State::Failed, code, message)
    }

    fn of(state: State, code: &'static str, message: String) -> Self {
        Self { state, why: Some(Why { code, message }) }
    }
}

// === impl Display ===

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Assigned => "Assigned",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        })
    }
}
