//! What time is it, on the steady clock and on the wall?

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use podid_core::token::Moment;
use tokio::time::Instant;

/// Both clocks. The steady one is tokio's, so that tests can pause and advance it.
#[derive(Clone)]
pub(crate) struct Clock {
    start: Instant,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Clock {
    /// The clocks of this machine.
    pub(crate) fn system() -> Self {
        Self::with_wall(Timestamp::now)
    }

    /// The steady clock of this machine beside another wall clock.
    pub(crate) fn with_wall(wall: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { start: Instant::now(), wall: Arc::new(wall) }
    }

    /// Now, on both.
    pub(crate) fn now(&self) -> Moment {
        Moment { steady: self.steady(), wall: (self.wall)() }
    }

    /// Time since this clock was made.
    pub(crate) fn steady(&self) -> Duration {
        self.start.elapsed()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
