//! When to try again, given the attempt, how it went and what the other side asked for?
//!
//! Used for IMDS, Entra and ARM alike. What the other side asks for (`Retry-After`) is never
//! undercut; a request that is not safe to repeat is repeated only when it surely had no effect.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

/// How patient a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// Delay after the first failed attempt; it doubles from there.
    pub base: Duration,
    /// The longest delay of our own making.
    pub cap: Duration,
    /// Give up at once when the other side asks for a longer wait than this.
    pub patience: Duration,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection: the request surely had no effect.
    NotSent,
    /// Sent, but no whole answer came: it may have had its effect.
    Unanswered,
    /// An answer with this HTTP status.
    Status(u16),
}

/// One failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Its number, counted from 1.
    pub number: u32,
    /// How it failed.
    pub failure: Failure,
    /// How long the answer asked us to wait, if it did (see [`parse_retry_after`]).
    pub retry_after: Option<Duration>,
    /// Whether the request may be repeated even if it had its effect (`GET`, or a `PATCH` that sets a state).
    pub repeatable: bool,
    /// A number from 0 to 1, drawn by the caller, that spreads clients which failed together.
    pub jitter: f64,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Report the failure.
    GiveUp,
    /// Try again after this time.
    After(Duration),
}

/// Judges `attempt` under `policy`.
pub fn decide(policy: &Policy, attempt: &Attempt) -> Verdict {
    if attempt.number >= policy.attempts || !is_transient(attempt.failure, attempt.repeatable) {
        return Verdict::GiveUp;
    }
    let asked = attempt.retry_after.unwrap_or_default();
    if asked > policy.patience {
        return Verdict::GiveUp;
    }
    Verdict::After(backoff(policy, attempt.number, attempt.jitter).max(asked))
}

/// Delay after the `failures`th failure in a row (counted from 1): doubling, capped, and between
/// half of that and all of it by `jitter` (0 to 1).
pub fn backoff(policy: &Policy, failures: u32, jitter: f64) -> Duration {
    let doubled = policy.base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    doubled.min(policy.cap).mul_f64(f64::midpoint(1.0, jitter))
}

/// Whether the same request can be expected to succeed later.
fn is_transient(failure: Failure, repeatable: bool) -> bool {
    match failure {
        // Never sent, or (429 and 503) refused before any work was done.
        Failure::NotSent | Failure::Status(429 | 503) => true,
        // 410 is IMDS being updated (IMDS documentation, "Errors and debugging").
        Failure::Unanswered | Failure::Status(408 | 410 | 500 | 502 | 504) => repeatable,
        Failure::Status(_) => false,
    }
}

/// Reads a `Retry-After` header: seconds or any of the three HTTP dates (RFC 9110 §10.2.3, §5.6.7).
///
/// A date in the past is no wait at all; a text that is neither is `None`.
pub fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean "practically never", not "at once".
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let at = parse_http_date(text)?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    if let Ok(at) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(at);
    }
    // RFC 850 and asctime, which a recipient has to accept; both mean GMT.
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"].iter().find_map(|format| {
        let at = strtime::parse(format, text).and_then(|time| time.to_datetime()).ok()?;
        at.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy = Policy {
        attempts: 4,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(5),
        patience: Duration::from_mins(1),
    };

    fn attempt(number: u32, failure: Failure) -> Attempt {
        Attempt { number, failure, retry_after: None, repeatable: true, jitter: 1.0 }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        use Failure::{NotSent, Status, Unanswered};
        let cases = [
            // failure, repeatable, tried again
            (NotSent, false, true),
            (Unanswered, true, true),
            (Unanswered, false, false),
            (Status(429), false, true),
            (Status(503), false, true),
            (Status(500), true, true),
            (Status(500), false, false),
            (Status(410), true, true),
            (Status(400), true, false),
            (Status(401), true, false),
            (Status(403), true, false),
            (Status(404), true, false),
            (Status(409), true, false),
            (Status(412), true, false),
        ];
        for (failure, repeatable, again) in cases {
            let verdict = decide(&POLICY, &Attempt { repeatable, ..attempt(1, failure) });
            assert_eq!(verdict != Verdict::GiveUp, again, "{failure:?} repeatable={repeatable}");
        }
    }

    #[test]
    fn delays_double_up_to_the_cap_and_end_with_the_attempts() {
        let delays: Vec<Verdict> =
            (1..=4).map(|number| decide(&POLICY, &attempt(number, Failure::Status(500)))).collect();
        let after = |seconds| Verdict::After(Duration::from_secs(seconds));
        assert_eq!(delays, [after(1), after(2), after(4), Verdict::GiveUp]);
        assert_eq!(backoff(&POLICY, 40, 1.0), POLICY.cap);
    }

    #[test]
    fn a_wait_beyond_our_patience_ends_it() {
        let asked = |seconds| Attempt {
            retry_after: Some(Duration::from_secs(seconds)),
            ..attempt(1, Failure::Status(429))
        };
        assert_eq!(decide(&POLICY, &asked(60)), Verdict::After(Duration::from_mins(1)));
        assert_eq!(decide(&POLICY, &asked(61)), Verdict::GiveUp);
    }

    /// W-65.
    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let cases = [
            ("17", Some(17)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(parse_retry_after(&"9".repeat(40), now), Some(Duration::MAX));
    }

    proptest! {
        #[test]
        fn never_sooner_than_asked_and_never_later_than_cap_or_asked(
            number in 1_u32..10, asked in 0_u64..120, jitter in -1.0_f64..2.0, status in 100_u16..600,
        ) {
            let asked = Duration::from_secs(asked);
            let attempt = Attempt {
                number, failure: Failure::Status(status), retry_after: Some(asked), repeatable: true, jitter,
            };
            if let Verdict::After(wait) = decide(&POLICY, &attempt) {
                prop_assert!(wait >= asked && wait <= asked.max(POLICY.cap));
                prop_assert!(asked <= POLICY.patience && number < POLICY.attempts);
            }
        }

        /// W-65.
        #[test]
        fn no_header_panics(text in ".{0,64}") {
            let _ = parse_retry_after(&text, Timestamp::UNIX_EPOCH);
        }
    }
}
