//! Whose question goes to a source next, and who is told at once that its turn would come too late?
//!
//! A source such as IMDS bears so many questions a second, and so many at once, from all of a node.
//! Askers (pods) take turns: one question each, in the order in which they came, then the next of each.
//! So an asker with many questions delays the others by one question per round, never by all of them.
//! Whoever would wait longer than the terms allow is not let in, and is told when to come back.
//!
//! Time is a steady clock, given as the time since some fixed point.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::throttle::{Admission, Bucket, Rate};

/// What a source bears, and what askers may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Questions over time. In any second at most `burst` and `per_second` together are asked.
    pub rate: Rate,
    /// Questions under way at once.
    pub at_once: u32,
    /// Questions that one asker may have, waiting and under way.
    pub of_one: usize,
    /// Longest wait for a turn.
    pub patience: Duration,
}

/// Those who wait for a source, and those who are asking it.
#[derive(Clone, Debug)]
pub struct Line<K> {
    terms: Terms,
    bucket: Bucket,
    tickets: u64,
    /// By asker: its questions that wait, the oldest first. An asker without any is not in here.
    waiting: BTreeMap<K, VecDeque<Ticket>>,
    /// The askers in `waiting`, whose turn is next first.
    round: VecDeque<K>,
    /// Questions under way, and whose.
    under_way: BTreeMap<Ticket, K>,
}

/// One question's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What an asker with one more question is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It waits for its turn.
    In(Ticket),
    /// It has as many questions here as one may; one of them will have had its turn after this time.
    Enough(Duration),
    /// Its turn would come only after this time, which is longer than anyone waits.
    TooLate(Duration),
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is this one's turn; it is under way until it leaves.
    Go(Ticket),
    /// Somebody's turn comes after this time, unless something changes.
    After(Duration),
    /// Somebody waits until one that is under way leaves.
    Full,
    /// Nobody waits.
    Nobody,
}

// === impl Line ===

impl<K: Ord + Clone> Line<K> {
    /// An empty line.
    pub fn new(terms: Terms, now: Duration) -> Self {
        Self {
            terms,
            bucket: Bucket::new(terms.rate, now),
            tickets: 0,
            waiting: BTreeMap::new(),
            round: VecDeque::new(),
            under_way: BTreeMap::new(),
        }
    }

    /// One more question of `asker`.
    pub fn enter(&mut self, asker: &K, now: Duration) -> Entry {
        let waiting = self.waiting.get(asker).map_or(0, VecDeque::len);
        let asking = self.under_way.values().filter(|other| *other == asker).count();
        if waiting + asking >= self.terms.of_one.max(1) {
            return Entry::Enough(self.bucket.until(self.ahead(asker, 0) + 1, now));
        }
        let wait = self.bucket.until(self.ahead(asker, waiting) + 1, now);
        if wait > self.terms.patience {
            return Entry::TooLate(wait);
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.entry(asker.clone()).or_default().push_back(ticket);
        if waiting == 0 {
            self.round.push_back(asker.clone());
        }
        Entry::In(ticket)
    }

    /// Who may ask now; called again until nobody may.
    pub fn next(&mut self, now: Duration) -> Next {
        let Some(asker) = self.round.front().cloned() else { return Next::Nobody };
        if self.under_way.len() >= usize::try_from(self.terms.at_once.max(1)).unwrap_or(usize::MAX) {
            return Next::Full;
        }
        if let Admission::Wait(wait) = self.bucket.take(now) {
            return Next::After(wait);
        }
        self.round.pop_front();
        let Some(ticket) = self.waiting.get_mut(&asker).and_then(VecDeque::pop_front) else {
            return Next::Nobody;
        };
        if self.waiting.get(&asker).is_some_and(VecDeque::is_empty) {
            self.waiting.remove(&asker);
        } else {
            self.round.push_back(asker.clone());
        }
        self.under_way.insert(ticket, asker);
        Next::Go(ticket)
    }

    /// A question has its answer, or nobody wants one any more.
    pub fn leave(&mut self, ticket: Ticket) {
        if self.under_way.remove(&ticket).is_some() {
            return;
        }
        let of = self.waiting.iter().find(|(_, tickets)| tickets.contains(&ticket));
        let Some(asker) = of.map(|(asker, _)| asker.clone()) else { return };
        if let Some(tickets) = self.waiting.get_mut(&asker) {
            tickets.retain(|waiting| *waiting != ticket);
            if tickets.is_empty() {
                self.waiting.remove(&asker);
                self.round.retain(|waiting| *waiting != asker);
            }
        }
    }

    /// The source asked not to be asked for `wait`.
    pub fn close(&mut self, wait: Duration, now: Duration) {
        self.bucket.close(wait, now);
    }

    /// Questions that have their turn before one of `asker` that has `own` of its own before it.
    fn ahead(&self, asker: &K, own: usize) -> u32 {
        let of_others = self.waiting.iter().filter(|(other, _)| *other != asker);
        let before: usize = of_others.map(|(_, tickets)| tickets.len().min(own + 1)).sum();
        u32::try_from(before + own).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
