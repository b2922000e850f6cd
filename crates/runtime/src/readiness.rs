//! Is this process ready, and if not, what is it waiting for?
//!
//! Whatever must be finished before the process may be called ready holds a named [`Guard`]; dropping the guard
//! says "done". A condition that comes and goes uses [`Readiness::block`] and [`Readiness::unblock`] instead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The set of things that readiness still waits for. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    state: Arc<Mutex<State>>,
}

/// Holds readiness back until it is dropped.
#[derive(Debug)]
#[must_use = "dropping a guard means that its work is done"]
pub struct Guard {
    name: &'static str,
    readiness: Readiness,
}

#[derive(Debug, Default)]
struct State {
    /// Names of live guards, with how many guards carry each.
    guards: BTreeMap<&'static str, usize>,
    blocked: BTreeSet<&'static str>,
}

// === impl Readiness ===

impl Readiness {
    /// Readiness that waits for nothing yet, and so is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for `name` until the guard is dropped.
    pub fn guard(&self, name: &'static str) -> Guard {
        *self.lock().guards.entry(name).or_default() += 1;
        Guard { name, readiness: self.clone() }
    }

    /// Waits for `name` from now on. Blocking twice is the same as once.
    pub fn block(&self, name: &'static str) {
        self.lock().blocked.insert(name);
    }

    /// Ends what [`block`](Self::block) began; without effect when `name` was not blocked.
    pub fn unblock(&self, name: &'static str) {
        self.lock().blocked.remove(name);
    }

    /// What is still awaited, sorted; empty means ready.
    pub fn pending(&self) -> Vec<&'static str> {
        let state = self.lock();
        let names: BTreeSet<_> = state.guards.keys().chain(&state.blocked).copied().collect();
        names.into_iter().collect()
    }

    // No code that can panic runs under this lock, so a poisoned state is still a whole one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Guard ===

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.readiness.lock();
        if let Some(count) = state.guards.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                state.guards.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_awaited_is_ready() {
        assert!(Readiness::new().pending().is_empty());
    }

    #[test]
    fn a_dropped_guard_is_done_and_the_rest_stays_named() {
        let readiness = Readiness::new();
        let watch = readiness.guard("watch");
        let redirect = readiness.guard("redirect");
        assert_eq!(readiness.pending(), ["redirect", "watch"]);
        drop(watch);
        assert_eq!(readiness.clone().pending(), ["redirect"]);
        drop(redirect);
        assert!(readiness.pending().is_empty());
    }

    #[test]
    fn guards_of_one_name_are_all_awaited() {
        let readiness = Readiness::new();
        let (first, second) = (readiness.guard("watch"), readiness.guard("watch"));
        drop(first);
        assert_eq!(readiness.pending(), ["watch"]);
        drop(second);
        assert!(readiness.pending().is_empty());
    }

    #[test]
    fn a_block_comes_and_goes_whatever_the_guards_do() {
        let readiness = Readiness::new();
        let guard = readiness.guard("redirect");
        readiness.block("redirect");
        readiness.block("redirect");
        drop(guard);
        assert_eq!(readiness.pending(), ["redirect"]);
        readiness.unblock("redirect");
        readiness.unblock("redirect");
        assert!(readiness.pending().is_empty());
        readiness.block("redirect");
        assert_eq!(readiness.pending(), ["redirect"]);
    }

    #[test]
    fn a_panic_while_holding_a_guard_releases_it() {
        let readiness = Readiness::new();
        let inner = readiness.clone();
        let thread = std::thread::spawn(move || {
            let _guard = inner.guard("watch");
            panic!("broken on purpose");
        });
        assert!(thread.join().is_err());
        assert!(readiness.pending().is_empty());
    }
}
