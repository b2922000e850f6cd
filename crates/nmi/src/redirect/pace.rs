//! How long does the next repair wait, so that a quarrel with another program does not eat the node?

use std::time::Duration;

use tokio::time::Instant;

/// The second repair in a row waits this long, each further one twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// No repair waits longer: while it waits, pods may reach the metadata service.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// After this long without a repair the next one does not wait.
const QUIET: Duration = Duration::from_secs(10);

/// The rhythm of repairs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    wait: Duration,
}

// === impl Pace ===

impl Pace {
    /// Decides how long a repair that became necessary at `now` waits.
    pub(super) fn next(&mut self, now: Instant) -> Duration {
        let quiet = self.last.is_none_or(|last| now.duration_since(last) >= QUIET);
        self.wait = if quiet { Duration::ZERO } else { (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT) };
        self.last = Some(now);
        self.wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_repair_is_immediate_and_a_quarrel_slows_down_to_ten_a_second() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<_> = (0..7).map(|_| pace.next(now).as_millis()).collect();
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 100]);
    }

    #[test]
    fn quiet_makes_the_next_repair_immediate_again() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.next(now);
        assert_eq!(pace.next(now + QUIET / 2), FIRST_WAIT);
        assert_eq!(pace.next(now + QUIET / 2 + QUIET), Duration::ZERO);
    }
}
