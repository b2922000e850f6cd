//! May a request be sent now, or how long must it wait for its budget?
//!
//! ARM counts requests per subscription and kind in buckets that refill steadily, tells in headers
//! how many are left, and closes a bucket with `Retry-After` (ARM documentation, "Understand how
//! Azure Resource Manager throttles requests"). A [`Budget`] keeps a mirror of those buckets.
//! Time is a steady clock, given as the time since some fixed point, so that no clock jump matters.

use std::collections::BTreeMap;
use std::time::Duration;

/// How large a bucket is and how fast it refills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests that a full bucket allows at once.
    pub burst: u32,
    /// Requests per second that flow back.
    pub per_second: f64,
}

/// Budgets by bucket; a bucket that is met first is full.
#[derive(Clone, Debug)]
pub struct Budget<K> {
    buckets: BTreeMap<K, Bucket>,
}

/// One bucket.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    rate: Rate,
    level: f64,
    counted_at: Duration,
    closed_until: Duration,
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send it; it has been taken from the budget.
    Go,
    /// Ask again after this time.
    Wait(Duration),
}

// === impl Budget ===

impl<K: Ord> Budget<K> {
    /// A budget without any bucket yet.
    pub fn new() -> Self {
        Self { buckets: BTreeMap::new() }
    }

    /// The bucket `key`; when it is met first, a full one that refills at `rate`.
    pub fn bucket(&mut self, key: K, rate: Rate, now: Duration) -> &mut Bucket {
        self.buckets.entry(key).or_insert_with(|| Bucket::new(rate, now))
    }

    /// All buckets that were met.
    pub fn buckets(&self) -> impl Iterator<Item = (&K, &Bucket)> {
        self.buckets.iter()
    }
}

impl<K: Ord> Default for Budget<K> {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Bucket ===

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: Duration) -> Self {
        Self { rate, level: f64::from(rate.burst), counted_at: now, closed_until: Duration::ZERO }
    }

    /// Asks for one request.
    pub fn take(&mut self, now: Duration) -> Admission {
        if let Some(closed) = self.closed_until.checked_sub(now).filter(|wait| !wait.is_zero()) {
            return Admission::Wait(closed);
        }
        self.refill(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Admission::Go;
        }
        let seconds = (1.0 - self.level) / self.rate.per_second;
        // A rate of zero never refills: an hour is as good as for ever and can be waited out.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST);
        Admission::Wait(wait.max(SHORTEST))
    }

    /// Which part of a full bucket is left, between 0 and 1; nothing while it is closed.
    pub fn left(&self, now: Duration) -> f64 {
        let mut bucket = *self;
        bucket.refill(now);
        if self.closed_until > now || self.rate.burst == 0 {
            return 0.0;
        }
        bucket.level / f64::from(self.rate.burst)
    }

    /// How long until `count` more requests could have gone, if nobody else asks.
    pub fn until(&self, count: u32, now: Duration) -> Duration {
        let opens = self.closed_until.max(now);
        let passed = opens.saturating_sub(self.counted_at).as_secs_f64();
        let level = (self.level + passed * self.rate.per_second).min(f64::from(self.rate.burst));
        let seconds = ((f64::from(count) - level) / self.rate.per_second).max(0.0);
        let refill = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST);
        opens.saturating_sub(now).saturating_add(refill)
    }

    /// Learns from an answer how many requests the other side says are left.
    ///
    /// It can only lower our own count: other clients spend from the same bucket.
    pub fn learn_remaining(&mut self, remaining: u32, now: Duration) {
        self.refill(now);
        self.level = self.level.min(f64::from(remaining));
    }

    /// Closes the bucket for `wait`, as `Retry-After` asked; it never opens sooner than asked before.
    pub fn close(&mut self, wait: Duration, now: Duration) {
        self.closed_until = self.closed_until.max(now.saturating_add(wait));
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted_at);
        self.counted_at = self.counted_at.max(now);
        self.level =
            (self.level + passed.as_secs_f64() * self.rate.per_second).min(f64::from(self.rate.burst));
    }
}

const LONGEST: Duration = Duration::from_hours(1);
/// So that a waiter never spins on a wait that rounds to nothing.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { burst: 3, per_second: 1.0 };
    const START: Duration = Duration::from_secs(1000);

    fn seconds(count: u64) -> Duration {
        START + Duration::from_secs(count)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::new(RATE, START);
        let taken: Vec<Admission> = (0..4).map(|_| bucket.take(START)).collect();
        let wait = Admission::Wait(Duration::from_secs(1));
        assert_eq!(taken, [Admission::Go, Admission::Go, Admission::Go, wait]);
        assert_eq!(bucket.take(seconds(1)), Admission::Go);
        assert_eq!(bucket.take(seconds(1)), wait);
    }

    #[test]
    fn retry_after_closes_the_bucket_and_a_shorter_one_does_not_open_it() {
        let mut bucket = Bucket::new(RATE, START);
        bucket.close(Duration::from_secs(30), START);
        bucket.close(Duration::from_secs(5), START);
        assert_eq!(bucket.take(seconds(10)), Admission::Wait(Duration::from_secs(20)));
        assert_eq!(bucket.take(seconds(30)), Admission::Go);
    }

    #[test]
    fn what_the_other_side_counts_can_only_lower_ours() {
        let mut bucket = Bucket::new(RATE, START);
        bucket.learn_remaining(1000, START);
        assert_eq!(bucket.take(START), Admission::Go);
        bucket.learn_remaining(0, START);
        assert_eq!(bucket.take(START), Admission::Wait(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_left_is_a_part_of_the_full_bucket_and_nothing_while_it_is_closed() {
        let mut bucket = Bucket::new(Rate { burst: 4, per_second: 1.0 }, START);
        bucket.take(START);
        bucket.take(START);
        let left = |bucket: &Bucket, at| format!("{:.2}", bucket.left(at));
        assert_eq!([0, 1, 60].map(|second| left(&bucket, seconds(second))), ["0.50", "0.75", "1.00"]);
        bucket.close(Duration::from_secs(30), START);
        assert_eq!([29, 30].map(|second| left(&bucket, seconds(second))), ["0.00", "1.00"]);
    }

    #[test]
    fn buckets_do_not_disturb_each_other() {
        let mut budget = Budget::new();
        budget.bucket("a", RATE, START).close(Duration::from_mins(1), START);
        assert_eq!(budget.bucket("b", RATE, START).take(START), Admission::Go);
        assert!(matches!(budget.bucket("a", RATE, START).take(START), Admission::Wait(_)));
    }

    #[test]
    fn a_bucket_that_never_refills_asks_for_a_finite_wait() {
        let mut bucket = Bucket::new(Rate { burst: 0, per_second: 0.0 }, START);
        assert_eq!(bucket.take(START), Admission::Wait(LONGEST));
    }

    #[test]
    fn the_wait_for_several_is_foretold_with_what_is_left_and_while_it_is_closed() {
        let mut bucket = Bucket::new(RATE, START);
        let foretold = |bucket: &Bucket, count| bucket.until(count, START).as_secs();
        assert_eq!([1, 3, 4, 10].map(|count| foretold(&bucket, count)), [0, 0, 1, 7]);
        bucket.take(START);
        assert_eq!([2, 3].map(|count| foretold(&bucket, count)), [0, 1]);
        bucket.close(Duration::from_secs(30), START);
        // While it is closed it refills.
        assert_eq!([3, 4].map(|count| foretold(&bucket, count)), [30, 31]);
    }

    proptest! {
        /// W-54.
        #[test]
        fn no_sequence_passes_more_than_burst_and_rate_allow(
            burst in 0_u32..20, per_second in 0.0_f64..20.0, steps in prop::collection::vec(0_u64..2000, 1..200),
        ) {
            let mut bucket = Bucket::new(Rate { burst, per_second }, START);
            let (mut now, mut passed) = (START, 0_u32);
            for step in steps {
                now += Duration::from_millis(step);
                match bucket.take(now) {
                    Admission::Go => passed += 1,
                    Admission::Wait(wait) => prop_assert!(!wait.is_zero() && wait <= LONGEST),
                }
            }
            let allowed = f64::from(burst) + now.saturating_sub(START).as_secs_f64() * per_second;
            prop_assert!(f64::from(passed) <= allowed + 1e-6);
        }
    }
}
