//! What does the cache know about one key?

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use podid_core::retry::{self, Policy};
use podid_core::token::{Entry, Life, Moment};
use tokio::sync::watch;

use super::{Failure, Served, SourceError};
use crate::jitter;
use crate::token::Token;

/// One key's token, fetch and failures.
pub(super) struct Slot<V, E> {
    held: Option<Held<V>>,
    flight: Option<(u64, Landing<V, E>)>,
    failed: Option<Failed<E>>,
    /// When it was last asked for, in milliseconds of the steady clock.
    used: AtomicU64,
}

/// A token and its life.
pub(super) struct Held<V> {
    value: Arc<V>,
    life: Life,
}

/// What those who wait for a fetch are given.
pub(super) type Landed<V, E> = Result<Held<V>, Failure<E>>;

/// Where they wait for it.
pub(super) type Landing<V, E> = watch::Receiver<Option<Landed<V, E>>>;

struct Failed<E> {
    error: Arc<E>,
    until: Duration,
    in_a_row: u32,
}

/// Drops the least useful keys until one more fits: first those without a token, then the longest unused;
/// those with a fetch under way last.
pub(super) fn make_room<K: Clone + Eq + Hash, V, E>(slots: &mut HashMap<K, Slot<V, E>>, capacity: usize) {
    while slots.len() >= capacity.max(1) {
        let worth = |slot: &Slot<V, E>| {
            (slot.flight.is_some(), slot.held.is_some(), slot.used.load(Ordering::Relaxed))
        };
        let Some(key) = slots.iter().min_by_key(|(_, slot)| worth(slot)).map(|(key, _)| key.clone()) else {
            return;
        };
        slots.remove(&key);
    }
}

// === impl Slot ===

impl<V, E> Slot<V, E> {
    /// The facts that [`podid_core::token::decide`] judges.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            life: self.held.as_ref().map(|held| held.life),
            fetching: self.flight.is_some(),
            failed_until: self.failed.as_ref().map(|failed| failed.until),
        }
    }

    pub(super) fn touch(&self, now: Moment) {
        let millis = u64::try_from(now.steady.as_millis()).unwrap_or(u64::MAX);
        self.used.store(millis, Ordering::Relaxed);
    }

    pub(super) fn serve(&self, now: Moment) -> Option<Served<V>> {
        self.held.as_ref().map(|held| held.serve(now, true))
    }

    pub(super) fn failure(&self, retry_after: Duration) -> Option<Failure<E>> {
        let error = self.failed.as_ref()?.error.clone();
        Some(Failure::Source { error, retry_after })
    }

    pub(super) fn discard(&mut self, value: &Arc<V>) {
        self.held.take_if(|held| Arc::ptr_eq(&held.value, value));
    }

    /// A fetch called `id` begins; its result is to be sent through what is returned.
    pub(super) fn take_off(&mut self, id: u64) -> watch::Sender<Option<Landed<V, E>>> {
        let (sender, receiver) = watch::channel(None);
        self.flight = Some((id, receiver));
        sender
    }

    pub(super) fn landing(&self) -> Option<Landing<V, E>> {
        self.flight.as_ref().map(|(_, receiver)| receiver.clone())
    }

    pub(super) fn is_flying(&self, id: u64) -> bool {
        self.flight.as_ref().is_some_and(|(flying, _)| *flying == id)
    }

    /// The fetch is gone without a result.
    pub(super) fn crash(&mut self) {
        self.flight = None;
    }
}

impl<V: AsRef<Token>, E: SourceError> Slot<V, E> {
    /// The fetch ended with `outcome`. After a failure those who wait get the older token while it lives.
    pub(super) fn land(&mut self, outcome: Result<V, E>, now: Moment, backoff: &Policy) -> Landed<V, E> {
        self.flight = None;
        let error = match outcome {
            Ok(value) => {
                self.failed = None;
                let token = value.as_ref();
                let life = Life::new(now, token.life, token.refresh_in, jitter::draw());
                let held = Held { value: Arc::new(value), life };
                self.held = Some(held.clone());
                return Ok(held);
            }
            Err(error) => error,
        };
        let in_a_row = self.failed.as_ref().map_or(0, |failed| failed.in_a_row).saturating_add(1);
        let asked = error.retry_after().unwrap_or_default().min(backoff.patience);
        let retry_after = retry::backoff(backoff, in_a_row, jitter::draw()).max(asked);
        let error = Arc::new(error);
        self.failed = Some(Failed { error: error.clone(), until: now.steady + retry_after, in_a_row });
        match &self.held {
            Some(held) if !held.life.left(now).is_zero() => Ok(held.clone()),
            _ => Err(Failure::Source { error, retry_after }),
        }
    }
}

impl<V, E> Default for Slot<V, E> {
    fn default() -> Self {
        Self { held: None, flight: None, failed: None, used: AtomicU64::new(0) }
    }
}

// === impl Held ===

impl<V> Held<V> {
    pub(super) fn serve(&self, now: Moment, cached: bool) -> Served<V> {
        Served { value: self.value.clone(), left: self.life.left(now), cached }
    }
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), life: self.life }
    }
}
