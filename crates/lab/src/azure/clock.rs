//! What time is it in the simulated Azure?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Wall clock that starts at the real time, runs with tokio's clock and can be moved forward.
pub(crate) struct Clock {
    started: Instant,
    at_start: Timestamp,
    moved_ms: AtomicU64,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), at_start: Timestamp::now(), moved_ms: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        later(self.at_start, self.started.elapsed() + moved)
    }

    /// Lets so much time pass at once.
    pub(crate) fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.fetch_add(by, Ordering::Relaxed);
    }
}

/// The moment `by` after `at`; the end of time where there is none.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
