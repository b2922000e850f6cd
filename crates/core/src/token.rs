//! What to do with a cache entry: serve it, refresh it ahead, join a fetch, start one, or wait?
//!
//! Two clocks are given: a steady one that no administrator can set, and the wall clock. A token's
//! age is the larger of the two: a suspended machine ages its tokens, a clock set back does not
//! make them younger, and a clock set forward costs one fetch, after which ages start anew.

use std::time::Duration;

use jiff::Timestamp;

/// A token with less life than this is not handed out while the source answers
/// (some SDKs throw away what has less than five minutes).
pub const FLOOR: Duration = Duration::from_mins(5);

/// How old a token must be to be replaced because a caller wants one from no cache. So many callers who
/// want that at once are one question, and a caller who always wants it asks once in this time.
pub const FRESH: Duration = Duration::from_mins(1);

/// How long after its backoff a failure still counts as news of the source.
const NEWS: Duration = Duration::from_mins(1);

/// A point in time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Time since some fixed point of this process, on a clock that only moves forward.
    pub steady: Duration,
    /// What the wall clock says.
    pub wall: Timestamp,
}

/// The life of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it was fetched.
    pub born: Moment,
    /// How long it was to live at that moment.
    pub span: Duration,
    /// After how much of that it is to be replaced while it is still good.
    pub refresh_after: Duration,
}

/// What is known about an entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry {
    /// The token that it holds, if any.
    pub life: Option<Life>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// Set while the last fetch is one that failed: on the steady clock, when to ask again.
    pub failed_until: Option<Duration>,
}

/// What to do for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Serve the token that is held.
    Fresh,
    /// Serve the token that is held, and start a fetch that nobody waits for.
    RefreshAhead,
    /// Wait for the fetch that is under way.
    Join,
    /// Start a fetch and wait for it.
    Fetch,
    /// Nothing can be served, and the source, which just failed, is not asked again before this time is over.
    Expired(Duration),
}

/// Decides for the entry `entry` at `now`.
pub fn decide(entry: &Entry, now: Moment) -> Decision {
    let backing_off =
        entry.failed_until.and_then(|until| until.checked_sub(now.steady)).filter(|d| !d.is_zero());
    let held = entry.life.filter(|life| !life.left(now).is_zero());
    let may_start = !entry.fetching && backing_off.is_none();
    let is_down = entry.failed_until.is_some_and(|until| now.steady < until.saturating_add(NEWS));
    match held {
        // While the source is down, what still lives is served, and the source is tried on the side.
        Some(life) if life.left(now) > life.floor() || is_down => {
            if may_start && life.is_due(now) {
                Decision::RefreshAhead
            } else {
                Decision::Fresh
            }
        }
        _ if entry.fetching => Decision::Join,
        _ => backing_off.map_or(Decision::Fetch, Decision::Expired),
    }
}

/// The same for a caller whose audience refused the token it had: one that is older than [`FRESH`] is
/// replaced before it is served, unless the source just failed.
pub fn decide_anew(entry: &Entry, now: Moment) -> Decision {
    let decision = decide(entry, now);
    let is_old = entry.life.is_some_and(|life| life.age(now) >= FRESH);
    match decision {
        Decision::Fresh | Decision::RefreshAhead if is_old => {
            if entry.fetching {
                Decision::Join
            } else if entry.failed_until.is_some_and(|until| now.steady < until) {
                Decision::Fresh
            } else {
                Decision::Fetch
            }
        }
        decision => decision,
    }
}

// === impl Life ===

impl Life {
    /// The life of a token that was fetched at `born` and lives for `span` from there.
    ///
    /// `refresh_in` is the source's own wish. Without it a token is replaced at half of its life,
    /// which leaves the other half to survive an outage of the source. `jitter` (0 to 1) moves that
    /// by up to a tenth of the life, so that nodes which started together do not ask together.
    pub fn new(born: Moment, span: Duration, refresh_in: Option<Duration>, jitter: f64) -> Self {
        let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
        let wish = refresh_in.filter(|wish| *wish < span).unwrap_or(span / 2);
        Self { born, span, refresh_after: wish.saturating_sub(span.mul_f64(jitter / 10.0)) }
    }

    /// How much life is left at `now`; zero once it is over.
    pub fn left(&self, now: Moment) -> Duration {
        self.span.saturating_sub(self.age(now))
    }

    /// The least life with which it is handed out while the source answers. A token that was short-lived
    /// at birth is served for half of its life, since asking again would not give a better one.
    fn floor(&self) -> Duration {
        FLOOR.min(self.span / 2)
    }

    fn is_due(&self, now: Moment) -> bool {
        self.age(now) >= self.refresh_after
    }

    fn age(&self, now: Moment) -> Duration {
        let steady = now.steady.saturating_sub(self.born.steady);
        let wall = Duration::try_from(now.wall.duration_since(self.born.wall)).unwrap_or_default();
        steady.max(wall)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> Moment {
        clocks(seconds, i64::try_from(seconds).unwrap())
    }

    fn clocks(steady: u64, wall: i64) -> Moment {
        Moment {
            steady: Duration::from_secs(steady),
            wall: Timestamp::from_second(1_700_000_000 + wall).unwrap(),
        }
    }

    fn day_long() -> Life {
        Life::new(at(0), Duration::from_secs(24 * HOUR), None, 0.0)
    }

    fn holding(life: Life) -> Entry {
        Entry { life: Some(life), ..Entry::default() }
    }

    #[test]
    fn a_life_from_birth_to_end() {
        let end = 24 * HOUR;
        let cases = [
            (0, Decision::Fresh),
            (12 * HOUR - 1, Decision::Fresh),
            (12 * HOUR, Decision::RefreshAhead),
            (end - 301, Decision::RefreshAhead),
            (end - 300, Decision::Fetch),
            (end - 1, Decision::Fetch),
            (end, Decision::Fetch),
            (end + HOUR, Decision::Fetch),
        ];
        for (second, decision) in cases {
            assert_eq!(decide(&holding(day_long()), at(second)), decision, "{second}");
        }
    }

    #[test]
    fn who_bypasses_the_cache_gets_a_token_of_this_minute_and_asks_no_source_that_just_failed() {
        let anew = |entry: Entry, second| decide_anew(&entry, at(second));
        assert_eq!(anew(Entry::default(), 0), Decision::Fetch);
        assert_eq!(anew(holding(day_long()), 59), Decision::Fresh);
        assert_eq!(anew(holding(day_long()), 60), Decision::Fetch);
        assert_eq!(anew(Entry { fetching: true, ..holding(day_long()) }, 60), Decision::Join);
        let failed = Entry { failed_until: Some(Duration::from_secs(100)), ..holding(day_long()) };
        assert_eq!(anew(failed, 99), Decision::Fresh);
        assert_eq!(anew(failed, 100), Decision::Fetch);
        assert_eq!(anew(Entry { life: None, ..failed }, 99), Decision::Expired(Duration::from_secs(1)));
    }

    #[test]
    fn one_fetch_at_a_time() {
        let fetching = |life| Entry { life, fetching: true, failed_until: None };
        assert_eq!(decide(&fetching(None), at(0)), Decision::Join);
        assert_eq!(decide(&fetching(Some(day_long())), at(13 * HOUR)), Decision::Fresh);
        assert_eq!(decide(&fetching(Some(day_long())), at(24 * HOUR - 10)), Decision::Join);
    }

    #[test]
    fn an_old_token_is_served_only_while_the_source_fails() {
        let late = 24 * HOUR - 10;
        let failed = |until| Entry {
            life: Some(day_long()),
            fetching: false,
            failed_until: Some(Duration::from_secs(until)),
        };
        assert_eq!(decide(&holding(day_long()), at(late)), Decision::Fetch);
        assert_eq!(decide(&failed(late + 5), at(late)), Decision::Fresh);
        assert_eq!(decide(&failed(late), at(late)), Decision::RefreshAhead);
        // A failure of long ago says nothing of today.
        assert_eq!(decide(&failed(late - 60), at(late)), Decision::Fetch);
        let in_flight = Entry { fetching: true, ..failed(late) };
        assert_eq!(decide(&in_flight, at(late)), Decision::Fresh);
        assert_eq!(decide(&failed(25 * HOUR), at(24 * HOUR)), Decision::Expired(Duration::from_secs(HOUR)));
        assert_eq!(decide(&failed(24 * HOUR), at(24 * HOUR)), Decision::Fetch);
    }

    #[test]
    fn a_failure_is_remembered_no_longer_than_its_backoff() {
        let entry = Entry { failed_until: Some(Duration::from_secs(10)), ..Entry::default() };
        assert_eq!(decide(&entry, at(4)), Decision::Expired(Duration::from_secs(6)));
        assert_eq!(decide(&entry, at(10)), Decision::Fetch);
    }

    #[test]
    fn a_token_that_is_short_lived_from_birth_is_served_for_half_of_its_life() {
        let life = Life::new(at(0), Duration::from_secs(200), None, 0.0);
        assert_eq!(decide(&holding(life), at(99)), Decision::Fresh);
        assert_eq!(decide(&holding(life), at(100)), Decision::Fetch);
    }

    #[test]
    fn clock_jumps_never_lengthen_a_life() {
        let life = Life::new(at(0), Duration::from_secs(2 * HOUR), None, 0.0);
        // Set forward by a day, or suspended for a day: the token counts as over.
        assert!(life.left(clocks(10, 24 * 3600)).is_zero());
        // Set back by a day: the steady clock goes on ageing it.
        assert_eq!(life.left(clocks(HOUR, -24 * 3600)), Duration::from_secs(HOUR));
        assert!(life.left(clocks(2 * HOUR, -24 * 3600)).is_zero());
        // One that is fetched after the jump lives its whole life.
        let next = Life::new(clocks(10, 24 * 3600), Duration::from_secs(2 * HOUR), None, 0.0);
        assert_eq!(next.left(clocks(10, 24 * 3600)), Duration::from_secs(2 * HOUR));
    }

    #[test]
    fn the_source_may_say_when_to_refresh() {
        let span = Duration::from_secs(HOUR);
        let wish = |seconds| Life::new(at(0), span, Some(Duration::from_secs(seconds)), 0.0).refresh_after;
        assert_eq!(wish(600), Duration::from_mins(10));
        assert_eq!(wish(2 * HOUR), span / 2);
    }

    proptest! {
        #[test]
        fn what_is_served_lives_and_is_old_only_while_the_source_fails(
            span in 0_u64..200_000, refresh in proptest::option::of(0_u64..200_000), jitter in -1.0_f64..2.0,
            steady in 0_u64..200_000, wall in -200_000_i64..200_000,
            fetching: bool, failed in proptest::option::of(0_u64..200_000), held: bool,
        ) {
            let now = clocks(steady, wall);
            let span = Duration::from_secs(span);
            let life = Life::new(at(0), span, refresh.map(Duration::from_secs), jitter);
            let entry = Entry {
                life: held.then_some(life), fetching, failed_until: failed.map(Duration::from_secs),
            };
            let decision = decide(&entry, now);
            if matches!(decision, Decision::Fresh | Decision::RefreshAhead) {
                prop_assert!(held && !life.left(now).is_zero());
                let is_down = failed.is_some_and(|until| steady < until + NEWS.as_secs());
                prop_assert!(is_down || life.left(now) > FLOOR.min(span / 2));
            }
            if fetching {
                prop_assert!(!matches!(decision, Decision::Fetch | Decision::RefreshAhead));
            }
            if failed.is_some_and(|until| until > steady) {
                prop_assert!(!matches!(decision, Decision::Fetch | Decision::RefreshAhead));
            }
        }
    }
}
