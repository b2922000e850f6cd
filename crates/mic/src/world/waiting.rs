//! Which assignments are wanted and not in effect, and since when?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use podid_core::desired::Key;
use podid_core::ids::ObjectRef;
use tokio::time::Instant;

/// Assignments that pods wait for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    since: BTreeMap<Key, Instant>,
    /// The same, the oldest first.
    ages: BTreeSet<(Instant, Key)>,
    /// How long those waited that are in effect now.
    over: Vec<Duration>,
}

/// How far an assignment that is wanted has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Something has to be done for it.
    Open,
    /// Something was done for it that the watch has not shown yet.
    UnderWay,
    /// Its pod gets tokens.
    InEffect,
}

// === impl Waiting ===

impl Waiting {
    /// `pod` wants `keys`. It waits for those that are not in effect, and no longer for what it does not want any
    /// more. What is under way was noted when it began, unless it is done.
    pub(super) fn look(&mut self, pod: &ObjectRef, keys: &[(Key, Stage)], now: Instant) {
        for (key, stage) in keys {
            match stage {
                Stage::InEffect => self.done(key, now),
                Stage::Open if !self.since.contains_key(key) => {
                    self.since.insert(key.clone(), now);
                    self.ages.insert((now, key.clone()));
                }
                Stage::Open | Stage::UnderWay => {}
            }
        }
        for key in self.of(pod) {
            if !keys.iter().any(|(wanted, _)| *wanted == key) {
                self.forget(&key);
            }
        }
    }

    /// The assignment is in effect.
    pub(super) fn done(&mut self, key: &Key, now: Instant) {
        if let Some(since) = self.forget(key) {
            self.over.push(now.saturating_duration_since(since));
        }
    }

    /// How many are waited for, and since when the one that was waited for longest.
    pub(super) fn now(&self) -> (usize, Option<Instant>) {
        (self.since.len(), self.ages.first().map(|(since, _)| *since))
    }

    /// How long those waited that came into effect since this was asked last.
    pub(super) fn take_over(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.over)
    }

    fn of(&self, pod: &ObjectRef) -> Vec<Key> {
        let first = Key { pod: pod.clone(), identity: ObjectRef::new("", "") };
        self.since.range(first..).map(|(key, _)| key).take_while(|key| key.pod == *pod).cloned().collect()
    }

    fn forget(&mut self, key: &Key) -> Option<Instant> {
        let since = self.since.remove(key)?;
        self.ages.remove(&(since, key.clone()));
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pod: &str, identity: &str) -> Key {
        Key { pod: ObjectRef::new("shop", pod), identity: ObjectRef::new("shop", identity) }
    }

    fn pod(name: &str) -> ObjectRef {
        ObjectRef::new("shop", name)
    }

    #[test]
    fn the_oldest_is_known_and_a_wait_is_counted_once() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let second = start + Duration::from_secs(1);
        waiting.look(&pod("b"), &[(key("b", "x"), Stage::Open)], start);
        waiting.look(&pod("a"), &[(key("a", "x"), Stage::Open), (key("a", "y"), Stage::InEffect)], second);
        waiting.look(&pod("b"), &[(key("b", "x"), Stage::UnderWay)], second);
        assert_eq!(waiting.now(), (2, Some(start)));
        waiting.done(&key("b", "x"), start + Duration::from_secs(3));
        waiting.done(&key("b", "x"), start + Duration::from_secs(9));
        assert_eq!(waiting.now(), (1, Some(second)));
        assert_eq!(waiting.take_over(), [Duration::from_secs(3)]);
        assert!(waiting.take_over().is_empty());
    }

    #[test]
    fn what_is_done_and_not_yet_seen_is_not_waited_for_again() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        waiting.look(&pod("a"), &[(key("a", "x"), Stage::Open)], start);
        waiting.done(&key("a", "x"), start);
        waiting.look(&pod("a"), &[(key("a", "x"), Stage::UnderWay)], start);
        assert_eq!(waiting.now(), (0, None));
    }

    #[test]
    fn what_is_wanted_no_longer_is_not_waited_for() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        waiting.look(&pod("a"), &[(key("a", "x"), Stage::Open), (key("a", "y"), Stage::Open)], start);
        waiting.look(&pod("a"), &[(key("a", "y"), Stage::Open)], start);
        assert_eq!(waiting.now(), (1, Some(start)));
        waiting.look(&pod("a"), &[], start);
        assert_eq!(waiting.now(), (0, None));
        assert!(waiting.take_over().is_empty());
    }
}
