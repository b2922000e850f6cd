//! When does a question leave for its source, so that the source's limits hold and nobody is starved?
//!
//! [`podid_core::turn`] decides whose turn it is; this is its driver. A place is left by dropping it:
//! an answer, a deadline and a caller who gives up are the same to those who wait.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use podid_core::turn::{Entry, Line, Next, Terms, Ticket};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::jitter;

/// Turns at one source. Cheap to clone; all clones are one line. `K` is who asks.
pub struct Pace<K> {
    inner: Arc<Inner<K>>,
}

struct Inner<K> {
    terms: Terms,
    clock: Clock,
    state: Mutex<State<K>>,
    /// Somebody left, so that it may be another's turn sooner than was foretold.
    left: Notify,
}

struct State<K> {
    line: Line<K>,
    calls: HashMap<Ticket, oneshot::Sender<()>>,
    /// Whether a task calls those who wait.
    calling: bool,
}

/// A place in the line, and at the source when it was called.
pub struct Place<K: Ord + Clone> {
    inner: Arc<Inner<K>>,
    ticket: Ticket,
    called: Option<oneshot::Receiver<()>>,
}

/// Why an asker is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has as many questions here as one may have.
    #[error("the caller has as many requests on their way there as one may have")]
    Enough {
        /// When one of them will have had its turn, from now.
        retry_after: Duration,
    },
    /// Its turn would come too late, or came too late.
    #[error("more is asked than this node may ask there in time")]
    TooLate {
        /// When its turn would come, from now.
        retry_after: Duration,
    },
}

/// The least time after which somebody who was refused shall ask again.
const SOONEST: Duration = Duration::from_millis(100);

/// How much later than foretold a turn may come: timers are coarse.
const SLACK: Duration = Duration::from_secs(1);

// === impl Pace ===

impl<K: Ord + Clone + Send + 'static> Pace<K> {
    /// A line in which nobody waits.
    pub fn new(terms: Terms) -> Self {
        let clock = Clock::system();
        let line = Line::new(terms, clock.steady());
        let state = Mutex::new(State { line, calls: HashMap::new(), calling: false });
        Self { inner: Arc::new(Inner { terms, clock, state, left: Notify::new() }) }
    }

    /// A place for one question of `asker`, or when to come back. Needs a runtime.
    pub fn enter(&self, asker: &K) -> Result<Place<K>, Refused> {
        let now = self.inner.clock.steady();
        let mut state = self.inner.lock();
        let ticket = match state.line.enter(asker, now) {
            Entry::In(ticket) => ticket,
            Entry::Enough(wait) => return Err(Refused::Enough { retry_after: wait.max(SOONEST) }),
            Entry::TooLate(wait) => {
                // Those who are refused together shall not come back together.
                let spread = wait.mul_f64(jitter::draw() / 4.0);
                return Err(Refused::TooLate { retry_after: wait.saturating_add(spread) });
            }
        };
        let (call, called) = oneshot::channel();
        state.calls.insert(ticket, call);
        if state.call(now).is_some() && !state.calling {
            state.calling = true;
            tokio::spawn(self.inner.clone().call_until_nobody_waits());
        }
        drop(state);
        Ok(Place { inner: self.inner.clone(), ticket, called: Some(called) })
    }

    /// The same, where one who has enough questions here waits until it may have another, for `patience` at most.
    pub async fn enter_within(&self, asker: &K, patience: Duration) -> Result<Place<K>, Refused> {
        let end = Instant::now() + patience;
        loop {
            match self.enter(asker) {
                Err(Refused::Enough { retry_after }) if Instant::now() + retry_after < end => {
                    tokio::time::sleep(retry_after).await;
                }
                entered => return entered,
            }
        }
    }

    /// The source asked not to be asked for `wait`. What is on its way is not called back.
    pub fn close(&self, wait: Duration) {
        let now = self.inner.clock.steady();
        self.inner.lock().line.close(wait, now);
    }
}

impl<K> Clone for Pace<K> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<K> std::fmt::Debug for Pace<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("terms", &self.inner.terms).finish_non_exhaustive()
    }
}

// === impl Place ===

impl<K: Ord + Clone> Place<K> {
    /// Waits for its turn, which lasts until the place is dropped.
    ///
    /// Whoever was let in is called in time unless the source slows down meanwhile.
    pub async fn turn(&mut self) -> Result<(), Refused> {
        let Some(called) = self.called.take() else { return Ok(()) };
        let patience = self.inner.terms.patience;
        match tokio::time::timeout(patience + SLACK, called).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Refused::TooLate { retry_after: patience }),
        }
    }
}

impl<K: Ord + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.line.leave(self.ticket);
        state.calls.remove(&self.ticket);
        drop(state);
        self.inner.left.notify_one();
    }
}

// === impl Inner ===

impl<K> Inner<K> {
    // A panic while the lock is held leaves at worst a place that is not called, which has its deadline.
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> Inner<K> {
    async fn call_until_nobody_waits(self: Arc<Self>) {
        loop {
            let nap = {
                let mut state = self.lock();
                let nap = state.call(self.clock.steady());
                state.calling = nap.is_some();
                nap
            };
            let Some(nap) = nap else { return };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = self.left.notified() => {}
            }
        }
    }
}

// === impl State ===

impl<K: Ord + Clone> State<K> {
    /// Calls all whose turn it is; returns after which time to look again if somebody still waits.
    fn call(&mut self, now: Duration) -> Option<Duration> {
        loop {
            match self.line.next(now) {
                Next::Go(ticket) => {
                    // Nobody listens any more to one that is about to leave.
                    if let Some(call) = self.calls.remove(&ticket) {
                        let _ = call.send(());
                    }
                }
                Next::After(wait) => return Some(wait),
                Next::Full => return Some(Duration::from_hours(1)),
                Next::Nobody => return None,
            }
        }
    }
}

// === impl Refused ===

impl Refused {
    /// When to ask again, from now.
    pub fn retry_after(self) -> Duration {
        match self {
            Self::Enough { retry_after } | Self::TooLate { retry_after } => retry_after,
        }
    }
}
