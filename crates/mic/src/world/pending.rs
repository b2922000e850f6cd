//! Which assignments have a write under way, and when may they be planned again?
//!
//! A write that succeeded counts as under way until the watch has shown its effect: a plan made
//! before that would write it a second time (W-26). One that failed waits, longer each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use podid_core::desired::Key;
use podid_core::facts::{Assignment, AssignmentState};
use podid_core::ids::{NodeName, ObjectRef, Uid};
use podid_core::retry::{Policy, backoff};
use tokio::time::Instant;

/// How long the watch may take to show a write. Then it has probably been overtaken by another one.
const ECHO: Duration = Duration::from_secs(10);

/// Waits after failed writes of one assignment.
const RETRY: Policy = Policy {
    attempts: u32::MAX,
    base: Duration::from_millis(500),
    cap: Duration::from_mins(2),
    patience: Duration::MAX,
};

/// Writes under way.
#[derive(Debug, Default)]
pub(super) struct Pending {
    keys: BTreeMap<Key, State>,
    failures: HashMap<Key, u32>,
    timers: BTreeSet<(Instant, Key)>,
    /// Names that pending writes are about to use, or that the API server says are in use.
    names: HashMap<ObjectRef, Option<Key>>,
}

#[derive(Debug)]
enum State {
    /// Being written.
    Running(Effect),
    /// Written; the watch has not shown it yet.
    Written(Effect, Instant),
    /// Failed.
    Waiting(Instant),
}

/// What the watch will show when a write took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The record exists, and says this.
    Says {
        /// The record.
        id: ObjectRef,
        /// Its node.
        node: NodeName,
        /// Spec hashes of its identity and its binding.
        specs: (u64, u64),
    },
    /// The record is called assigned, if it still exists.
    Assigned {
        /// The record.
        id: ObjectRef,
    },
    /// The record is gone, or is another one.
    Gone {
        /// The record.
        id: ObjectRef,
        /// Its uid.
        uid: Uid,
    },
}

// === impl Pending ===

impl Pending {
    /// Whether nothing may be planned for `key` now.
    pub(super) fn blocks(&self, key: &Key) -> bool {
        self.keys.contains_key(key)
    }

    /// Whether another assignment than that of `key` is about to use the name `id`.
    pub(super) fn takes(&self, id: &ObjectRef, key: &Key) -> bool {
        self.names.get(id).is_some_and(|user| user.as_ref() != Some(key))
    }

    /// A write for `key` begins.
    pub(super) fn begin(&mut self, key: Key, effect: Effect) {
        if let Effect::Says { id, .. } = &effect {
            self.names.entry(id.clone()).or_insert_with(|| Some(key.clone()));
        }
        self.keys.insert(key, State::Running(effect));
    }

    /// It succeeded.
    pub(super) fn succeeded(&mut self, key: &Key, now: Instant) {
        self.failures.remove(key);
        if let Some(State::Running(effect)) = self.keys.remove(key) {
            let until = now + ECHO;
            self.timers.insert((until, key.clone()));
            self.keys.insert(key.clone(), State::Written(effect, until));
        }
    }

    /// It failed, and is left alone for at least `asked`. Returns for how long.
    pub(super) fn failed(&mut self, key: &Key, asked: Option<Duration>, now: Instant) -> Duration {
        self.end(key);
        let failures = self.failures.entry(key.clone()).or_default();
        *failures = failures.saturating_add(1);
        let spread = crate::lane::spread(&key.pod.name);
        let wait = backoff(&RETRY, *failures, spread).max(asked.unwrap_or_default());
        self.timers.insert((now + wait, key.clone()));
        self.keys.insert(key.clone(), State::Waiting(now + wait));
        wait
    }

    /// The API server says that the name `id` is in use, by an object that gives no fact.
    pub(super) fn occupied(&mut self, id: &ObjectRef) {
        self.names.insert(id.clone(), None);
    }

    /// Ends what the watch has shown meanwhile of the writes for `pod`.
    pub(super) fn settle<'a>(
        &mut self,
        pod: &ObjectRef,
        record: impl Fn(&ObjectRef) -> Option<&'a Assignment>,
    ) {
        for key in self.of(pod) {
            if let Some(State::Written(effect, _)) = self.keys.get(&key)
                && effect.shows(&record)
            {
                self.end(&key);
            }
        }
    }

    /// Keys of `pod` that are pending.
    fn of(&self, pod: &ObjectRef) -> Vec<Key> {
        let first = Key { pod: pod.clone(), identity: ObjectRef::new("", "") };
        self.keys.range(first..).map(|(key, _)| key).take_while(|key| key.pod == *pod).cloned().collect()
    }

    /// Ends the waits that are over; returns the pods to plan again.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ObjectRef> {
        let mut pods = Vec::new();
        while let Some((at, key)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, key));
                break;
            }
            if let Some(State::Written(effect, _)) = self.keys.get(&key) {
                tracing::warn!(pod = %key.pod, identity = %key.identity, ?effect, "the watch did not show a write, planning again");
            }
            self.end(&key);
            pods.push(key.pod);
        }
        pods
    }

    /// When the next wait is over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn end(&mut self, key: &Key) {
        let Some(state) = self.keys.remove(key) else { return };
        let effect = match state {
            State::Running(effect) => Some(effect),
            State::Written(effect, until) => {
                self.timers.remove(&(until, key.clone()));
                Some(effect)
            }
            State::Waiting(until) => {
                self.timers.remove(&(until, key.clone()));
                None
            }
        };
        if let Some(Effect::Says { id, .. }) = effect
            && self.names.get(&id).is_some_and(|user| user.as_ref() == Some(key))
        {
            self.names.remove(&id);
        }
    }
}

// === impl Effect ===

impl Effect {
    fn shows<'a>(&self, record: impl Fn(&ObjectRef) -> Option<&'a Assignment>) -> bool {
        match self {
            Self::Says { id, node, specs } => record(id).is_some_and(|record| {
                record.node == *node && (record.identity.spec_hash, record.binding.spec_hash) == *specs
            }),
            Self::Assigned { id } => {
                record(id).is_none_or(|record| record.state == AssignmentState::Assigned)
            }
            Self::Gone { id, uid } => record(id).is_none_or(|record| record.uid != *uid),
        }
    }
}
