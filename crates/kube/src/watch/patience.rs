//! How long does a watch wait after a failure?

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use kube::runtime::utils::Backoff;
use tokio::time::Instant;

/// First pause; jitter may double each.
const FIRST: Duration = Duration::from_millis(500);

/// Longest pause before jitter.
const LONGEST: Duration = Duration::from_secs(10);

/// Time without a failure after which pauses are short again.
const QUIET: Duration = Duration::from_mins(1);

/// Pauses that grow while failures follow each other.
///
/// The pauses of kube's `default_backoff` do not grow where lists fail: the watcher announces each
/// attempt as an event, and any event counts as success there.
#[derive(Debug)]
pub(super) struct Patience {
    pauses: ExponentialBackoff,
    last_failure: Option<Instant>,
}

// === impl Patience ===

impl Patience {
    pub(super) fn new() -> Self {
        Self { pauses: pauses(), last_failure: None }
    }
}

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let now = Instant::now();
        if self.last_failure.is_some_and(|last| now.duration_since(last) > QUIET) {
            self.pauses = pauses();
        }
        self.last_failure = Some(now);
        self.pauses.next()
    }
}

impl Backoff for Patience {
    /// Called for every event; only quiet time counts here.
    fn reset(&mut self) {}
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
