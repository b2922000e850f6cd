//! Does the owner of a pod hear why it gets nothing?
//!
//! An event on the pod, once for each pod and cause, and only for what its owner can mend. What happens to the
//! node's redirect is told on the node.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podid_core::code::Cause;
use podid_core::ids::{NodeName, ObjectRef, Uid};
use podid_core::refusal::Refusal;
use podid_kube::events::{Event, Recorder, Severity, Subject};
use tokio::time::Instant;

/// The reason of an event on a pod.
const REFUSED: &str = "TokenRefused";

/// Pods and causes that are remembered; then all are forgotten.
const REMEMBERED: usize = 4096;

/// Events on pods in one [`PERIOD`], for the whole node.
const MOST: u32 = 30;
const PERIOD: Duration = Duration::from_mins(1);

/// Tells owners. Clones share what was told; the default tells nobody.
#[derive(Clone, Default)]
pub struct Notices(Option<Arc<Shared>>);

struct Shared {
    recorder: Recorder,
    node: NodeName,
    told: Mutex<Told>,
}

struct Told {
    pods: HashSet<(Uid, Cause)>,
    left: u32,
    since: Instant,
}

// === impl Notices ===

impl Notices {
    /// Tells through `recorder` what happens on `node`.
    pub fn new(recorder: Recorder, node: NodeName) -> Self {
        let told = Told { pods: HashSet::new(), left: MOST, since: Instant::now() };
        Self(Some(Arc::new(Shared { recorder, node, told: Mutex::new(told) })))
    }

    /// The pod was refused a token.
    pub(crate) fn refused(&self, pod: &ObjectRef, uid: &Uid, refusal: &Refusal) {
        let Some(shared) = &self.0 else { return };
        if !refusal.cause.is_for_the_owner() {
            return;
        }
        let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.tell(uid, refusal.cause, Instant::now()) {
            return;
        }
        drop(told);
        shared.recorder.record(Event {
            subject: Subject::Pod,
            id: pod.clone(),
            uid: Some(uid.clone()),
            severity: Severity::Warning,
            reason: REFUSED,
            message: refusal.description().into_owned(),
        });
    }

    /// Something happened to the redirect of this node.
    pub(crate) fn redirect(&self, severity: Severity, reason: &'static str, message: String) {
        let Some(shared) = &self.0 else { return };
        let node = shared.node.as_str();
        shared.recorder.record(Event {
            subject: Subject::Node,
            // Events need a namespace, and those of nodes are looked for in this one.
            id: ObjectRef::new("default", node),
            // What `kubectl describe node` looks for.
            uid: Some(Uid::new(node)),
            severity,
            reason,
            message,
        });
    }
}

// === impl Told ===

impl Told {
    /// Whether there is to be an event, which is remembered.
    fn tell(&mut self, pod: &Uid, cause: Cause, now: Instant) -> bool {
        if self.pods.contains(&(pod.clone(), cause)) {
            return false;
        }
        if now.duration_since(self.since) >= PERIOD {
            (self.left, self.since) = (MOST, now);
        }
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        if self.pods.len() >= REMEMBERED {
            self.pods.clear();
        }
        self.pods.insert((pod.clone(), cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told { pods: HashSet::new(), left: MOST, since: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cause_is_told_once_to_each_pod() {
        let (mut told, now) = (told(), Instant::now());
        let (web, job) = (Uid::new("web"), Uid::new("job"));
        assert!(told.tell(&web, Cause::NoBinding, now) && !told.tell(&web, Cause::NoBinding, now));
        assert!(told.tell(&web, Cause::IdentityMissing, now) && told.tell(&job, Cause::NoBinding, now));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_short_and_nothing_is_forgotten_for_ever() {
        let (mut told, now) = (told(), Instant::now());
        let pods: Vec<Uid> = (0..100).map(|number| Uid::new(format!("{number}"))).collect();
        let count =
            |told: &mut Told, now| pods.iter().filter(|pod| told.tell(pod, Cause::NoBinding, now)).count();
        assert_eq!(count(&mut told, now), 30);
        assert_eq!(count(&mut told, now + PERIOD), 30);
        assert_eq!(count(&mut told, now + PERIOD * 2), 30);
        assert_eq!(count(&mut told, now + PERIOD * 3), 10);
        assert_eq!(count(&mut told, now + PERIOD * 4), 0);
    }
}
