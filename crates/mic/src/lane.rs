//! What does one VM or scale set need next, and when?
//!
//! A lane remembers of its target what ARM said last, what the ledger says, who was refused and how
//! long to wait. Asked with the present wish, it gives the next piece of [`Work`] for the target's
//! worker, one at a time; whatever is wished while the worker is busy is in the next piece, so a
//! thousand pods become one PATCH. It does no I/O and knows the time as an argument.

mod arriving;
mod bars;
mod drift;
mod idle;

use std::time::Duration;

use podid_azure::arm::Reading;
use podid_core::assign::{self, Decision, Deferred, Identities, Ledger, Patch, Present, Protected, Wish};
use podid_core::ids::{ComputeId, IdentityResourceId};
use podid_core::plan::Standing;
use podid_core::retry::{Policy, backoff};
use tokio::time::Instant;

use crate::compute::Fault;
use crate::problem::Problem;
use arriving::Arriving;
use bars::Bars;
pub(crate) use bars::spread;
use drift::Drift;
use idle::Idle;

/// A PATCH builds only on what was read this recently; the type that it sets must not undo somebody
/// else's change (W-33).
const FRESH: Duration = Duration::from_secs(3);

/// Least time between the beginnings of two PATCHes, so that a growing crowd shares the second one.
const PACE: Duration = Duration::from_millis(500);

/// How soon a target that cannot be written, or does not exist, is looked at again.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// Waits after failures in a row that concern the whole target.
const TROUBLE: Policy = Policy {
    attempts: u32::MAX,
    base: Duration::from_secs(1),
    cap: Duration::from_mins(5),
    patience: Duration::MAX,
};

/// How lanes behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// How often ARM is compared with what should be there.
    pub(crate) compare: Duration,
    /// First wait of a refused identity.
    pub(crate) refused: Duration,
    /// How long an identity stays that nobody needs any more.
    pub(crate) stay: Duration,
}

/// What is known and under way of one target.
#[derive(Debug)]
pub(crate) struct Lane {
    pacing: Pacing,
    spread: f64,
    ledger: Ledger,
    seen: Option<Seen>,
    work: Option<Work>,
    bars: Bars,
    idle: Idle,
    drift: Drift,
    arriving: Arriving,
    failures: u32,
    not_before: Option<Instant>,
    patched: Option<Instant>,
    compare_at: Option<Instant>,
}

/// What ARM said last, and what was done to it since.
#[derive(Debug)]
struct Seen {
    present: Present,
    etag: Option<String>,
    at: Instant,
    /// It does not exist, which was told.
    missing: bool,
    /// What a failed PATCH may or may not have changed.
    doubtful: Identities,
}

/// One piece of work for a target's worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Read what is there.
    Read,
    /// Carry out a decision.
    Write {
        /// What was decided.
        decision: Decision,
        /// Tag of the reading that it builds on, if ARM gave one and nothing was written since.
        etag: Option<String>,
    },
}

/// What to do about a target now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Give this to the worker.
    Do(Work),
    /// Nothing before this time, or before something changes.
    Wait(Option<Instant>),
    /// Nothing is wished of it and nothing of ours is on it: forget it.
    Forget,
}

/// How a piece of work ended.
#[derive(Debug)]
pub(crate) enum Done {
    /// The end of [`Work::Read`].
    Read(Result<Reading, Fault>),
    /// The end of [`Work::Write`].
    Write {
        /// The ledger that was written last, if one was.
        ledger: Option<Ledger>,
        /// The PATCHes that succeeded.
        patches: Vec<Patch>,
        /// The PATCH that failed, and why; without a PATCH it was the ledger that failed.
        failed: Option<(Option<Patch>, Fault)>,
    },
}

/// What somebody should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Identities were put on the target or taken off it.
    Patched {
        /// Put on it.
        add: Vec<IdentityResourceId>,
        /// Taken off it.
        remove: Vec<IdentityResourceId>,
    },
    /// Somebody else took these off the target, which podid put there or relied on.
    Drifted(Vec<IdentityResourceId>),
    /// They are back.
    Repaired(Vec<IdentityResourceId>),
    /// ARM refuses these identities.
    Refused {
        /// Which ones.
        ids: Vec<IdentityResourceId>,
        /// Why.
        problem: Problem,
    },
    /// The whole target cannot be served.
    Trouble {
        /// Why.
        problem: Problem,
        /// How long it is left alone.
        wait: Duration,
    },
}

// === impl Lane ===

impl Lane {
    /// The lane of `target`, of which the ledger says `ledger`.
    pub(crate) fn new(target: &ComputeId, ledger: Ledger, pacing: Pacing) -> Self {
        Self {
            pacing,
            spread: spread(target.folded()),
            arriving: Arriving::inherited(&ledger),
            ledger,
            seen: None,
            work: None,
            bars: Bars::new(pacing.refused),
            idle: Idle::new(pacing.stay),
            drift: Drift::default(),
            failures: 0,
            not_before: None,
            patched: None,
            compare_at: None,
        }
    }

    /// How `id` stands, given what is wished now.
    pub(crate) fn standing(&self, id: &IdentityResourceId, wish: &Wish, protected: &Protected) -> Standing {
        let Some(Seen { present, doubtful, .. }) = &self.seen else { return Standing::Unknown };
        let there = present.identities.contains_key(id);
        let unwritten = there && wish.wants(id) && !self.ledger.knows(id);
        if unwritten || doubtful.contains(id) {
            return Standing::Unknown;
        }
        if !there {
            return Standing::Absent;
        }
        let unneeded = !wish.needed.contains(id) && assign::removable(id, present, &self.ledger, protected);
        if unneeded && self.idle.goes(id) || self.is_removing(id) {
            Standing::Leaving
        } else {
            Standing::Ready
        }
    }

    fn is_removing(&self, id: &IdentityResourceId) -> bool {
        match &self.work {
            Some(Work::Write { decision, .. }) => {
                decision.patches.iter().any(|patch| patch.remove.contains(id))
            }
            Some(Work::Read) | None => false,
        }
    }

    /// How many identities are set aside now.
    pub(crate) fn refused(&self, now: Instant) -> usize {
        self.bars.count(now)
    }

    /// What to do next for `wish`. Work that is given counts as begun.
    pub(crate) fn next(
        &mut self,
        wish: &Wish,
        protected: &Protected,
        now: Instant,
    ) -> (Next, Option<Notice>) {
        if self.work.is_some() {
            return (Next::Wait(None), None);
        }
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return (Next::Wait(Some(until)), None);
        }
        if wish.is_empty() && self.ledger.is_empty() {
            return (Next::Forget, None);
        }
        let Some(seen) = &self.seen else { return (self.begin(Work::Read), None) };
        if self.compare_at.is_some_and(|at| at <= now) || !seen.doubtful.is_empty() {
            return (self.begin(Work::Read), None);
        }
        let fresh = now < seen.at + FRESH;
        let stay = self.idle.look(wish, &self.ledger, now);
        let arriving = if seen.missing { Identities::new() } else { self.arriving.since(seen.at) };
        let decide = |bars: Identities| {
            let deferred = Deferred { add: bars, remove: stay.clone(), arriving: arriving.clone() };
            assign::decide(&seen.present, wish, &self.ledger, protected, &deferred)
        };
        let decision = match decide(self.bars.suspects()) {
            Ok(Decision { patches, .. }) if patches.is_empty() => decide(self.bars.barred(now)),
            others_first => others_first,
        };
        match decision {
            Err(refusal) => {
                self.compare_at = Some(now + LOOK_AGAIN);
                self.not_before = self.compare_at;
                let notice = Notice::Trouble { problem: Problem::from(&refusal), wait: LOOK_AGAIN };
                (Next::Wait(self.not_before), Some(notice).filter(|_| !seen.missing))
            }
            Ok(decision) if !decision.patches.is_empty() => {
                let next = match self.patched.map(|at| at + PACE).filter(|at| *at > now) {
                    Some(paced) => Next::Wait(Some(paced)),
                    None if !fresh => self.begin(Work::Read),
                    None => {
                        let etag = seen.etag.clone();
                        self.patched = Some(now);
                        self.begin(Work::Write { decision, etag })
                    }
                };
                (next, None)
            }
            Ok(decision) if decision.after != self.ledger => {
                (self.begin(Work::Write { decision, etag: None }), None)
            }
            Ok(_) => {
                self.failures = 0;
                let timers = [self.compare_at, self.bars.next(&wish.needed, now), self.idle.next(now)];
                let again = timers.into_iter().flatten().min();
                (Next::Wait(again), None)
            }
        }
    }

    /// What to do next instead of forgetting the target: a record there, written by a predecessor and wanted by
    /// nobody, waits until it is known what is there.
    pub(crate) fn keep(&mut self) -> Next {
        if self.seen.is_none() { self.begin(Work::Read) } else { Next::Wait(None) }
    }

    /// Takes in how the work ended.
    pub(crate) fn finish(&mut self, done: Done, now: Instant) -> Vec<Notice> {
        self.work = None;
        match done {
            Done::Read(Ok(reading)) => {
                let lost = self.seen.as_ref().map(|Seen { present, doubtful, .. }| {
                    self.drift.look(present, doubtful, &reading.present, &self.ledger)
                });
                self.saw(reading, now);
                lost.into_iter().filter(|lost| !lost.is_empty()).map(Notice::Drifted).collect()
            }
            Done::Read(Err(Fault::Missing)) => vec![self.missing(now)],
            Done::Read(Err(fault)) => vec![self.trouble(&fault, now)],
            Done::Write { ledger, patches, failed } => {
                if let Some(ledger) = ledger {
                    self.ledger = ledger;
                }
                let mut notices: Vec<Notice> =
                    patches.into_iter().flat_map(|patch| self.patched(patch, now)).collect();
                match failed {
                    None => self.failures = 0,
                    Some((patch, fault)) => notices.extend(self.failed(patch, &fault, now)),
                }
                notices
            }
        }
    }

    fn begin(&mut self, work: Work) -> Next {
        self.work = Some(work.clone());
        Next::Do(work)
    }

    /// The first comparison comes early for some and late for others; from then on they keep apart.
    fn saw(&mut self, Reading { present, etag }: Reading, now: Instant) {
        let wait = match self.compare_at {
            None => self.pacing.compare.mul_f64(f64::midpoint(1.0, self.spread)),
            Some(_) => self.pacing.compare,
        };
        self.compare_at = Some(now + wait);
        self.not_before = None;
        self.seen = Some(Seen { present, etag, at: now, missing: false, doubtful: Identities::new() });
    }

    fn patched(&mut self, patch: Patch, now: Instant) -> impl Iterator<Item = Notice> + use<> {
        self.bars.accept(&patch.add);
        for id in &patch.remove {
            self.idle.gone(id);
        }
        if let Some(seen) = &mut self.seen {
            seen.present.kind = patch.kind;
            seen.present.identities.extend(patch.add.iter().map(|id| (id.clone(), None)));
            seen.present.identities.retain(|id, _| !patch.remove.contains(id));
            seen.etag = None;
            seen.at = now;
        }
        let back = self.drift.repaired(&patch.add);
        let repaired = (!back.is_empty()).then_some(Notice::Repaired(back));
        [Notice::Patched { add: patch.add, remove: patch.remove }].into_iter().chain(repaired)
    }

    /// What the failed PATCH was about is read again before anything else. An identity that was
    /// refused does not make the others wait.
    fn failed(&mut self, patch: Option<Patch>, fault: &Fault, now: Instant) -> Option<Notice> {
        if let (Some(seen), Some(patch)) = (&mut self.seen, &patch) {
            seen.doubtful = patch.add.iter().chain(&patch.remove).cloned().collect();
            if matches!(fault, Fault::Later { .. }) {
                self.arriving.doubt(patch, now);
            }
        }
        match (fault, patch) {
            (Fault::Identities { named, problem }, Some(patch)) if !patch.add.is_empty() => {
                let ids = self.bars.refuse(&patch.add, named, now);
                self.patched = None;
                (!ids.is_empty()).then(|| Notice::Refused { ids, problem: problem.clone() })
            }
            (Fault::Missing, _) => Some(self.missing(now)),
            _ => Some(self.trouble(fault, now)),
        }
    }

    /// Nothing is on a target that does not exist. It is looked for again, in case it comes back.
    fn missing(&mut self, now: Instant) -> Notice {
        self.saw(Reading { present: Present { deleting: true, ..Present::default() }, etag: None }, now);
        if let Some(seen) = &mut self.seen {
            seen.missing = true;
        }
        Notice::Trouble { problem: Fault::Missing.problem(), wait: LOOK_AGAIN }
    }

    fn trouble(&mut self, fault: &Fault, now: Instant) -> Notice {
        self.failures = self.failures.saturating_add(1);
        let asked = match fault {
            Fault::Later { after, .. } => after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let wait = backoff(&TROUBLE, self.failures, self.spread).max(asked);
        self.not_before = Some(now + wait);
        Notice::Trouble { problem: fault.problem(), wait }
    }
}

#[cfg(test)]
mod tests;
