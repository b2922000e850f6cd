//! Who leads? What one candidate for a shared record may believe and do, given what it saw and when.
//!
//! Time is the candidate's own monotonic clock, as the span since any fixed moment. Nobody's wall
//! clock is compared with anybody else's: a record counts as expired when it has not changed for its
//! duration *while we looked on*. The holder stops leading well before that, counted from the moment
//! it *sent* its last successful renewal. So with writes that compare versions there is never more
//! than one leader, however late or lost the messages are.

use std::sync::Arc;
use std::time::Duration;

/// How patient candidates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a record is respected after its last change.
    pub duration: Duration,
    /// How long the holder believes in a renewal; shorter than the duration.
    pub deadline: Duration,
    /// Time between two attempts.
    pub retry: Duration,
}

/// The shared record, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty if it was released.
    pub holder: Arc<str>,
    /// How long its holder asks others to respect it.
    pub duration: Duration,
    /// Another text at every renewal, such as its time as written by the holder.
    pub renewal: Arc<str>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write the record with our name, provided it is still the one that was seen.
    Write,
    /// Someone else holds it; look again after this time.
    Wait(Duration),
}

/// One of those who want to hold the record.
#[derive(Clone, Debug)]
pub struct Candidate {
    name: Arc<str>,
    timing: Timing,
    seen: Option<(Record, Duration)>,
    leads_until: Option<Duration>,
}

// === impl Timing ===

impl Timing {
    /// Believes for two thirds of `duration`, tries four times in it.
    pub fn new(duration: Duration) -> Self {
        Self { duration, deadline: duration * 2 / 3, retry: duration / 4 }
    }
}

// === impl Candidate ===

impl Candidate {
    /// A candidate that has not looked yet. Names are unique among those who run at one time.
    pub fn new(name: impl Into<Arc<str>>, timing: Timing) -> Self {
        Self { name: name.into(), timing, seen: None, leads_until: None }
    }

    /// Takes in what was read at `now`; none if there is no record.
    pub fn saw(&mut self, record: Option<Record>, now: Duration) {
        if record.as_ref().is_none_or(|record| record.holder != self.name) {
            self.leads_until = None;
        }
        let unchanged = self.seen.as_ref().map(|(seen, _)| seen) == record.as_ref();
        if !unchanged || record.is_none() {
            self.seen = record.map(|record| (record, now));
        }
    }

    /// What to do at `now`, given the last that was seen.
    pub fn next(&self, now: Duration) -> Step {
        match &self.seen {
            Some((record, since)) if !record.holder.is_empty() && record.holder != self.name => {
                match (*since + record.duration).checked_sub(now) {
                    Some(left) if !left.is_zero() => Step::Wait(left.min(self.timing.retry)),
                    _ => Step::Write,
                }
            }
            _ => Step::Write,
        }
    }

    /// Takes in that our record, sent at `sent`, was accepted.
    pub fn wrote(&mut self, record: Record, sent: Duration) {
        self.seen = Some((record, sent));
        self.leads_until = Some(sent + self.timing.deadline);
    }

    /// Stops leading, whatever the record says.
    pub fn step_down(&mut self) {
        self.leads_until = None;
    }

    /// When the last renewal ceases to count; none if there is none.
    pub fn leads_until(&self) -> Option<Duration> {
        self.leads_until
    }

    /// Whether it leads at `now`.
    pub fn leads(&self, now: Duration) -> bool {
        self.leads_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn record(holder: &str, renewal: &str) -> Record {
        Record { holder: holder.into(), duration: seconds(12), renewal: renewal.into() }
    }

    fn candidate(name: &str) -> Candidate {
        Candidate::new(name, Timing::new(seconds(12)))
    }

    #[test]
    fn a_missing_or_released_record_is_taken_at_once() {
        let mut a = candidate("a");
        a.saw(None, seconds(0));
        assert_eq!(a.next(seconds(0)), Step::Write);
        a.saw(Some(record("", "1")), seconds(1));
        assert_eq!(a.next(seconds(1)), Step::Write);
    }

    #[test]
    fn a_record_of_another_is_respected_for_its_duration_after_it_last_changed() {
        let mut a = candidate("a");
        a.saw(Some(record("b", "1")), seconds(0));
        a.saw(Some(record("b", "2")), seconds(11));
        a.saw(Some(record("b", "2")), seconds(20));
        assert_eq!(a.next(seconds(20)), Step::Wait(seconds(3)));
        assert_eq!(a.next(seconds(22)), Step::Wait(seconds(1)));
        assert_eq!(a.next(seconds(23)), Step::Write);
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_another_may_take_over() {
        let mut a = candidate("a");
        a.wrote(record("a", "1"), seconds(100));
        assert!(a.leads(seconds(107)));
        assert!(!a.leads(seconds(108)));
    }

    #[test]
    fn a_leader_that_sees_another_name_stops_at_once() {
        let mut a = candidate("a");
        a.wrote(record("a", "1"), seconds(0));
        a.saw(Some(record("b", "2")), seconds(1));
        assert!(!a.leads(seconds(1)));
    }

    /// Milliseconds that a request takes to the store and its answer back; `lost` answers never come.
    #[derive(Clone, Debug)]
    struct Trip {
        there: u64,
        back: u64,
        lost: bool,
    }

    fn trips() -> impl Strategy<Value = Vec<Trip>> {
        let trip = (0..9_000_u64, 0..9_000_u64, prop::bool::weighted(0.2))
            .prop_map(|(there, back, lost)| Trip { there, back, lost });
        prop::collection::vec(trip, 60)
    }

    /// A candidate over a store that compares versions: its leading spans are appended to `spans`.
    /// Events are played in order of time; each candidate has one request under way at most.
    fn play(all: [Vec<Trip>; 2]) -> [Vec<(Duration, Duration)>; 2] {
        #[derive(Clone)]
        enum Doing {
            Read { arrive: u64, trip: Trip },
            ReadBack { at: u64, version: u64, record: Option<Record> },
            Write { arrive: u64, sent: u64, version: u64, trip: Trip },
            WriteBack { at: u64, sent: u64, accepted: Option<(Record, u64)> },
        }
        let millis = Duration::from_millis;
        let (mut store, mut version, mut renewals) = (None::<Record>, 0_u64, 0_u64);
        let mut spans = [Vec::new(), Vec::new()];
        let mut candidates = [candidate("a"), candidate("b")];
        let mut trips = all.map(Vec::into_iter);
        let mut doing: [Option<Doing>; 2] = [None, None];
        for (slot, trips) in doing.iter_mut().zip(&mut trips) {
            *slot = trips.next().map(|trip| Doing::Read { arrive: trip.there, trip });
        }
        let time = |doing: &Doing| match doing {
            Doing::Read { arrive, .. } | Doing::Write { arrive, .. } => *arrive,
            Doing::ReadBack { at, .. } | Doing::WriteBack { at, .. } => *at,
        };
        while let Some(who) =
            (0..2).filter(|i| doing[*i].is_some()).min_by_key(|i| doing[*i].as_ref().map(time))
        {
            let Some(step) = doing[who].take() else { break };
            let me = &mut candidates[who];
            doing[who] = match step {
                Doing::Read { arrive, trip } if trip.lost => trips[who]
                    .next()
                    .map(|next| Doing::Read { arrive: arrive + 3_000 + next.there, trip: next }),
                Doing::Read { arrive, trip } => {
                    Some(Doing::ReadBack { at: arrive + trip.back, version, record: store.clone() })
                }
                Doing::ReadBack { at, version, record } => {
                    me.saw(record, millis(at));
                    trips[who].next().map(|next| match me.next(millis(at)) {
                        Step::Write => {
                            Doing::Write { arrive: at + next.there, sent: at, version, trip: next }
                        }
                        Step::Wait(wait) => {
                            let wait = u64::try_from(wait.as_millis()).unwrap();
                            Doing::Read { arrive: at + wait + next.there, trip: next }
                        }
                    })
                }
                Doing::Write { arrive, sent, version: expected, trip } => {
                    let accepted = (expected == version).then(|| {
                        version += 1;
                        renewals += 1;
                        let record = record(if who == 0 { "a" } else { "b" }, &renewals.to_string());
                        store = Some(record.clone());
                        (record, version)
                    });
                    if trip.lost {
                        trips[who]
                            .next()
                            .map(|next| Doing::Read { arrive: arrive + 3_000 + next.there, trip: next })
                    } else {
                        Some(Doing::WriteBack { at: arrive + trip.back, sent, accepted })
                    }
                }
                Doing::WriteBack { at, sent, accepted } => {
                    if let Some((record, _)) = accepted {
                        me.wrote(record, millis(sent));
                        spans[who].push((millis(at), me.leads_until().unwrap()));
                    }
                    trips[who].next().map(|next| Doing::Read { arrive: at + 3_000 + next.there, trip: next })
                }
            };
        }
        spans
    }

    proptest! {
        #[test]
        fn two_candidates_never_lead_at_once(a in trips(), b in trips()) {
            let [a, b] = play([a, b]);
            for (from, to) in &a {
                for (other_from, other_to) in &b {
                    let both = from.max(other_from) < to.min(other_to);
                    prop_assert!(!both, "a leads {from:?}..{to:?}, b {other_from:?}..{other_to:?}");
                }
            }
        }
    }
}
