//! How are people told what happened?
//!
//! Every happening is one log line, whose fields name the objects, and where it concerns the owner of
//! an object an event on that object (peer contract §2.9). Tools read the lines by their messages.

use std::fmt;

use podid_core::facts::AssignmentState;
use podid_core::ids::{IdentityResourceId, ObjectRef, Uid};
use podid_kube::events::{Event, Recorder, Severity, Subject};

use crate::news::{About, Affected, News};
use crate::problem::Problem;

/// A record was written in state `Created` or `Assigned`.
pub const CREATED: &str = "assignment created";
/// A record is called `Assigned` now: its pod gets tokens.
pub const ASSIGNED: &str = "assigned";
/// A record is gone.
pub const REMOVED: &str = "assignment removed";
/// A VM or scale set was written.
pub const PATCHED: &str = "identities patched";
/// Somebody else took identities off a VM or scale set.
pub const DRIFTED: &str = "identities were taken off by somebody else";
/// They were put back.
pub const REPAIRED: &str = "identities are back";
/// ARM refuses an identity.
pub const REFUSED: &str = "identity refused";
/// A VM or scale set cannot be served for a while.
pub const TROUBLE: &str = "target cannot be served";
/// A record could not be written.
pub const WRITE_FAILED: &str = "assignment cannot be written";

/// What an owner of an object is told in an event.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Its words.
    pub reason: &'static str,
    /// Whether something is wrong.
    pub severity: Severity,
    /// The object.
    pub subject: Subject,
}

const APPLIED: Told =
    Told { reason: "binding applied", severity: Severity::Normal, subject: Subject::Binding };
const APPLY_ERROR: Told =
    Told { reason: "binding apply error", severity: Severity::Warning, subject: Subject::Binding };
const BINDING_REMOVED: Told =
    Told { reason: "binding removed", severity: Severity::Normal, subject: Subject::Binding };
const INVALID: Told =
    Told { reason: "identity invalid", severity: Severity::Warning, subject: Subject::Identity };

/// All events of the controller.
pub const EVENTS: [Told; 4] = [APPLIED, APPLY_ERROR, BINDING_REMOVED, INVALID];

/// Tells people.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    recorder: Recorder,
}

// === impl Reporter ===

impl Reporter {
    /// Tells through the log and `recorder`.
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self { recorder }
    }

    /// Tells `news`.
    pub(crate) fn tell(&self, news: News) {
        match news {
            News::Recorded(about, state) => {
                tracing::info!(
                    assignment = %about.record, pod = %about.pod, identity = %about.identity,
                    binding = %about.binding, node = %about.node, state = ?state, "{CREATED}"
                );
                if state == AssignmentState::Assigned {
                    self.assigned(&about);
                }
            }
            News::Assigned(about) => self.assigned(&about),
            News::Removed(about) => {
                tracing::info!(
                    assignment = %about.record, pod = %about.pod, identity = %about.identity,
                    node = %about.node, "{REMOVED}"
                );
                let message = format!(
                    "Binding {} removed from node {} for pod {}",
                    about.binding.name, about.node, about.record.name
                );
                self.tell_owner(BINDING_REMOVED, about.binding, about.binding_uid, message);
            }
            News::WriteFailed(about, problem, wait) => {
                let retry_ms = millis(wait);
                tracing::warn!(
                    assignment = %about.record, pod = %about.pod, identity = %about.identity,
                    code = %problem.code, error = problem.text, retry_ms, "{WRITE_FAILED}"
                );
                let message = format!("Assignment {} cannot be written: {problem}", about.record);
                self.tell_owner(APPLY_ERROR, about.binding, about.binding_uid, message);
            }
            News::Patched { target, add, remove, took, .. } => {
                let duration_ms = millis(took);
                tracing::info!(
                    target = %target, add = %Ids(&add), remove = %Ids(&remove), duration_ms, "{PATCHED}"
                );
            }
            News::Drifted { target, ids } => {
                tracing::warn!(target = %target, identities = %Ids(&ids), "{DRIFTED}");
            }
            News::Repaired { target, ids } => {
                tracing::info!(target = %target, identities = %Ids(&ids), "{REPAIRED}");
            }
            News::Refused { target, id, problem, affected } => {
                let Problem { code, text } = &problem;
                tracing::warn!(target = %target, identity = %id, %code, error = text, "{REFUSED}");
                self.apply_errors(affected, &format!("{id}: {problem}"));
            }
            News::Trouble { target, problem, wait, affected } => {
                let (retry_ms, Problem { code, text }) = (millis(wait), &problem);
                tracing::warn!(target = %target, %code, error = text, retry_ms, "{TROUBLE}");
                self.apply_errors(affected, &format!("{target}: {problem}"));
            }
            News::Unplaceable { affected, problem } => {
                if let Some((pod, node)) = &affected.user {
                    let Problem { code, text } = &problem;
                    tracing::warn!(%pod, %node, %code, error = text, "node cannot carry identities");
                }
                self.apply_errors(vec![affected], &problem.to_string());
            }
            News::InvalidIdentity { identity, uid, problem } => {
                tracing::warn!(%identity, code = %problem.code, error = problem.text, "{}", INVALID.reason);
                self.tell_owner(INVALID, identity, uid, problem.to_string());
            }
        }
    }

    fn assigned(&self, about: &About) {
        tracing::info!(
            assignment = %about.record, pod = %about.pod, identity = %about.identity, node = %about.node,
            "{ASSIGNED}"
        );
        let message = format!(
            "Binding {} applied on node {} for pod {}",
            about.binding.name, about.node, about.record.name
        );
        let (binding, uid) = (about.binding.clone(), about.binding_uid.clone());
        self.tell_owner(APPLIED, binding, uid, message);
    }

    fn apply_errors(&self, affected: Vec<Affected>, why: &str) {
        for Affected { binding, uid, user } in affected {
            let place = user.map(|(pod, node)| format!(" on node {node} for pod {pod}")).unwrap_or_default();
            let message = format!("Binding {} cannot be applied{place}: {why}", binding.name);
            self.tell_owner(APPLY_ERROR, binding, uid, message);
        }
    }

    fn tell_owner(&self, told: Told, id: ObjectRef, uid: Uid, message: String) {
        let Told { reason, severity, subject } = told;
        let uid = Some(uid).filter(|uid| !uid.as_str().is_empty());
        self.recorder.record(Event { subject, id, uid, severity, reason, message });
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Identities by name, for a log line.
struct Ids<'a>(&'a [IdentityResourceId]);

// === impl Ids ===

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, id) in self.0.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { "," }, id.name())?;
        }
        Ok(())
    }
}
