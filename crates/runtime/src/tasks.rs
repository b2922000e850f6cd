//! Which tasks keep this process alive, and what if one of them ends?
//!
//! Every task is spawned here under a name. One that returns before the shutdown has begun, or that panics at
//! any time, begins the shutdown and is named by [`Tasks::finished`], so that no part of the process can die
//! unseen while the rest carries on.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinError};
use tokio_util::task::TaskTracker;

use crate::liveness::Liveness;
use crate::shutdown::Shutdown;

/// The tracked tasks of a process. Clones share them, so that a task can start others.
#[derive(Clone, Debug)]
pub struct Tasks {
    shared: Arc<Shared>,
}

/// A task that ended when it should not have. The process has drained and should exit with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskDied {
    /// It returned although the process was not shutting down.
    #[error("task {name:?} ended although nobody asked the process to stop; see its last log lines")]
    Ended {
        /// The name it was spawned under.
        name: &'static str,
    },
    /// It panicked.
    #[error("task {name:?} panicked: {message}; this is a bug, please report it with the log around it")]
    Panicked {
        /// The name it was spawned under.
        name: &'static str,
        /// What the panic said.
        message: String,
    },
}

/// Whether a task is meant to last as long as the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Lasting,
    Brief,
}

#[derive(Debug)]
struct Shared {
    shutdown: Shutdown,
    liveness: Liveness,
    tracker: TaskTracker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    running: BTreeMap<u64, (&'static str, AbortHandle)>,
    died: Option<TaskDied>,
}

// === impl Tasks ===

impl Tasks {
    /// No tasks yet; the death of one will begin `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        let (liveness, tracker) = (Liveness::new(), TaskTracker::new());
        Self { shared: Arc::new(Shared { shutdown, liveness, tracker, state: Mutex::default() }) }
    }

    /// Which of them have hung, for the probe.
    pub fn liveness(&self) -> Liveness {
        self.shared.liveness.clone()
    }

    /// Spawns a task that must run until the shutdown begins.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, Life::Lasting, task);
    }

    /// Spawns a task that may end at any time; only a panic counts as its death.
    pub fn spawn_brief(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, Life::Brief, task);
    }

    /// Waits for the shutdown to begin and then up to `deadline` for the tasks to end; cuts off what is left.
    ///
    /// The error names the first task that died. A task that overran the deadline is only logged: the process
    /// was asked to stop, and it stops.
    pub async fn finished(self, deadline: Duration) -> Result<(), TaskDied> {
        self.shared.shutdown.begun().await;
        self.shared.tracker.close();
        if tokio::time::timeout(deadline, self.shared.tracker.wait()).await.is_err() {
            self.cut_off(deadline);
        }
        match self.shared.lock().died.take() {
            Some(died) => Err(died),
            None => Ok(()),
        }
    }

    fn start(&self, name: &'static str, life: Life, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(self.liveness().watched(name, task));
        let id = self.shared.add(name, task.abort_handle());
        let shared = self.shared.clone();
        self.shared.tracker.spawn(async move {
            let result = task.await;
            shared.remove(id, name, life, result);
        });
    }

    fn cut_off(&self, deadline: Duration) {
        let state = self.shared.lock();
        let names: Vec<_> = state.running.values().map(|(name, _)| *name).collect();
        tracing::warn!(tasks = ?names, ?deadline, "tasks still running at the deadline, cutting them off");
        for (_, task) in state.running.values() {
            task.abort();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn add(&self, name: &'static str, task: AbortHandle) -> u64 {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.running.insert(id, (name, task));
        id
    }

    fn remove(&self, id: u64, name: &'static str, life: Life, result: Result<(), JoinError>) {
        let died = match result {
            Err(error) if error.is_panic() => {
                Some(TaskDied::Panicked { name, message: panic_message(error) })
            }
            Ok(()) if life == Life::Lasting && !self.shutdown.is_begun() => Some(TaskDied::Ended { name }),
            _ => None,
        };
        let mut state = self.lock();
        state.running.remove(&id);
        if let Some(died) = died {
            tracing::error!(task = name, "{died}");
            state.died.get_or_insert(died);
            drop(state);
            self.shutdown.begin();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panic_message(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "no message".into() };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast_ref::<&str>().map_or_else(|| "no message".into(), |&text| text.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    const DEADLINE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn tasks_that_end_after_the_shutdown_began_are_no_error() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let stop = shutdown.clone();
        tasks.spawn("server", async move { stop.begun().await });
        shutdown.begin();
        assert_eq!(tasks.finished(DEADLINE).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_the_shutdown_and_is_named() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let stop = shutdown.clone();
        tasks.spawn("server", async move { stop.begun().await });
        tasks.spawn("watch", async { panic!("number {}", 7) });
        let died = TaskDied::Panicked { name: "watch", message: "number 7".into() };
        assert_eq!(tasks.finished(DEADLINE).await, Err(died));
        assert!(shutdown.is_begun());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_task_that_returns_early_is_a_death() {
        let tasks = Tasks::new(Shutdown::new());
        tasks.spawn("watch", async {});
        assert_eq!(tasks.finished(DEADLINE).await, Err(TaskDied::Ended { name: "watch" }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_brief_task_may_return_but_not_panic() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn_brief("fetch", async {});
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!shutdown.is_begun());
        tasks.spawn_brief("fetch", async { panic!("broken on purpose") });
        let died = tasks.finished(DEADLINE).await.unwrap_err();
        assert!(died.to_string().contains("\"fetch\" panicked: broken on purpose"), "{died}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_during_the_drain_is_still_an_error() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let stop = shutdown.clone();
        tasks.spawn("server", async move {
            stop.begun().await;
            panic!("broken on purpose");
        });
        shutdown.begin();
        assert!(tasks.finished(DEADLINE).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_death_is_the_one_reported() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("first", async {});
        shutdown.begun().await;
        tasks.spawn("second", async { panic!("a consequence") });
        assert_eq!(tasks.finished(DEADLINE).await, Err(TaskDied::Ended { name: "first" }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_overruns_the_deadline_is_cut_off() {
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = OnDrop(dropped.clone());
        tasks.spawn("stuck", async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        });
        shutdown.begin();
        assert_eq!(tasks.finished(DEADLINE).await, Ok(()));
        tokio::task::yield_now().await;
        assert!(dropped.load(Ordering::SeqCst));
    }

    struct OnDrop(Arc<AtomicBool>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
