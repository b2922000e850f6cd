//! How long do pods wait for their assignments?

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use podid_runtime::metrics::{Reading, Spread};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

/// From what the controller itself takes to what only a mistake of somebody takes, in seconds.
const WAITS: [f64; 12] = [0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// Assignments that pods wait for.
#[derive(Clone, Debug)]
pub(super) struct Assignments {
    waits: Spread,
    waiting: Gauge<i64, AtomicI64>,
    oldest: Arc<Mutex<Option<Instant>>>,
}

// === impl Assignments ===

impl Assignments {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self { waits: Spread::new(&WAITS), waiting: Gauge::default(), oldest: Arc::default() };
        registry.register(
            "mic_time_to_assigned_seconds",
            "How long it took from when an assignment was wanted until it was in effect, in seconds",
            new.waits.clone(),
        );
        registry.register(
            "mic_waiting_assignments",
            "Assignments that are wanted and not in effect",
            new.waiting.clone(),
        );
        let oldest = new.oldest.clone();
        let age = move || {
            let since = *oldest.lock().unwrap_or_else(PoisonError::into_inner);
            since.map_or(0.0, |since| since.elapsed().as_secs_f64())
        };
        registry.register(
            "mic_oldest_waiting_assignment_seconds",
            "How long the assignment has been wanted that is not in effect for longest, in seconds; 0 if there is none",
            Reading::new(age),
        );
        new
    }

    /// So many are waited for, the oldest since then.
    pub(super) fn waiting(&self, count: usize, oldest: Option<Instant>) {
        self.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = oldest;
    }

    /// One came into effect after this time.
    pub(super) fn assigned(&self, after: Duration) {
        self.waits.observe(after.as_secs_f64());
    }
}
