//! Does every lasting part of this process still move?
//!
//! Each task is woken every few seconds for no other purpose than to show that it can be. One that computes without
//! end, or blocks its thread, does not show it: the probe names it, and whoever asks it starts the process anew. If
//! none of the threads moves, the probe itself gets no answer, which means the same.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a task shows that it moves.
const BEAT: Duration = Duration::from_secs(10);

/// After how long without a sign it counts as hung.
const HUNG: Duration = Duration::from_mins(1);

/// When each task was last seen to move. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    seen: BTreeMap<u64, (&'static str, Instant)>,
}

/// A task's entry, which goes with the task.
struct Entry {
    id: u64,
    liveness: Liveness,
}

// === impl Liveness ===

impl Liveness {
    /// Nobody is watched yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tasks that have not moved for a minute, by name.
    pub fn hung(&self) -> Vec<&'static str> {
        let now = Instant::now();
        let state = self.lock();
        let hung = state.seen.values().filter(|(_, seen)| now.duration_since(*seen) > HUNG);
        hung.map(|(name, _)| *name).collect()
    }

    /// Runs `task`, watched under `name` until it ends.
    pub async fn watched<F: Future>(self, name: &'static str, task: F) -> F::Output {
        let entry = self.enter(name);
        let mut task = pin!(task);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                output = &mut task => return output,
                _ = beat.tick() => entry.beat(),
            }
        }
    }

    fn enter(self, name: &'static str) -> Entry {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.seen.insert(id, (name, Instant::now()));
        drop(state);
        Entry { id, liveness: self }
    }

    /// Nothing in it is ever left half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    fn beat(&self) {
        if let Some((_, seen)) = self.liveness.lock().seen.get_mut(&self.id) {
            *seen = Instant::now();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.liveness.lock().seen.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_only_waits_is_alive_however_long() {
        let liveness = Liveness::new();
        let task = tokio::spawn(liveness.clone().watched("patient", std::future::pending::<()>()));
        tokio::time::sleep(HUNG * 10).await;
        assert!(liveness.hung().is_empty());
        task.abort();
        assert!(task.await.is_err());
        tokio::time::sleep(HUNG * 10).await;
        assert!(liveness.hung().is_empty(), "what has ended is not hung");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_that_blocks_its_thread_is_named_and_forgiven_when_it_goes_on() {
        let liveness = Liveness::new();
        let (go_on, blocked) = mpsc::channel::<()>();
        let (tell, begun) = tokio::sync::oneshot::channel();
        let work = async move {
            tell.send(()).unwrap();
            let _ = blocked.recv();
        };
        let task = tokio::spawn(liveness.clone().watched("stubborn", work));
        begun.await.unwrap();
        // As if it had blocked for a while already.
        for (_, seen) in liveness.lock().seen.values_mut() {
            *seen = seen.checked_sub(HUNG + BEAT).unwrap();
        }
        assert_eq!(liveness.hung(), ["stubborn"]);
        drop(go_on);
        task.await.unwrap();
        assert!(liveness.hung().is_empty());
    }
}
