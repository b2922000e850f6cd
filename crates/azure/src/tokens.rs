//! Who fetches a token when many ask for it?
//!
//! One fetch per key at a time, in a task of its own: callers join it, and it goes on when the
//! caller who started it hangs up, so that the next one finds the token. [`podid_core::token`]
//! decides when a token is served, refreshed ahead or fetched; this is its driver.
//!
//! Who may have a token is *not* decided here: whoever calls [`Tokens::get`] has checked that first,
//! on every request. A token that is served takes one shared lock for the look-up and no allocation.

mod flight;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use podid_core::retry::Policy;
use podid_core::token::{self, Decision, Entry, Moment};
use tokio_util::task::TaskTracker;

use self::flight::Flight;
use self::slot::{Landing, Slot};
use crate::clock::Clock;
use crate::token::Token;

/// Tokens by key. Cheap to clone; all clones are one cache.
///
/// `V` is what is kept: a [`Token`], or something that a caller made of one so as not to make it again
/// for each request. `E` is how fetches fail.
pub struct Tokens<K, V, E> {
    inner: Arc<Inner<K, V, E>>,
}

struct Inner<K, V, E> {
    slots: RwLock<HashMap<K, Slot<V, E>>>,
    settings: Settings,
    tasks: TaskTracker,
    clock: Clock,
    flights: AtomicU64,
}

/// Limits of a cache.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most keys that are kept. Beyond it the key that was unused for longest goes, one without a token first.
    pub capacity: usize,
    /// How long a source is left alone after failures in a row (`attempts` is not used: a new caller is a new
    /// reason to ask). `Retry-After` lengthens that, by `patience` at most.
    pub backoff: Policy,
}

/// Which token is good enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// Any that lives.
    #[default]
    Any,
    /// One that is not older than [`token::FRESH`], if the source gives one.
    Fresh,
}

/// What [`Tokens::get`] found.
#[derive(Debug)]
pub struct Served<V> {
    /// The token, or what was made of it.
    pub value: Arc<V>,
    /// How much life it has left now: the `expires_in` to answer with.
    pub left: Duration,
    /// Whether it was there without waiting for the source.
    pub cached: bool,
}

/// Why [`Tokens::get`] found nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The source failed and nothing that it gave earlier still lives.
    #[error("{error}")]
    Source {
        /// How it failed, last time it was asked.
        error: Arc<E>,
        /// When it may be asked again, from now. Before that every caller gets this same failure.
        retry_after: Duration,
    },
    /// The fetch ended without a result (it panicked, or the process is ending): ask again.
    #[error("the request for the token was abandoned; try again")]
    Abandoned,
}

/// How a fetch can fail, as far as the cache cares.
pub trait SourceError {
    /// How long the source asked us to wait, if it did.
    fn retry_after(&self) -> Option<Duration>;
}

/// What a caller does after looking at its slot.
enum Step<V, E> {
    Serve(Served<V>),
    Wait(Landing<V, E>),
    Refuse(Failure<E>),
}

// === impl Tokens ===

impl<K, V, E> Tokens<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: AsRef<Token> + Send + Sync + 'static,
    E: SourceError + Send + Sync + 'static,
{
    /// An empty cache whose fetches run as tasks of `tasks`.
    pub fn new(settings: Settings, tasks: TaskTracker) -> Self {
        Self::with_clock(settings, tasks, Clock::system())
    }

    pub(crate) fn with_clock(settings: Settings, tasks: TaskTracker, clock: Clock) -> Self {
        let (slots, flights) = (RwLock::default(), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { slots, settings, tasks, clock, flights }) }
    }

    /// The token of `key`, from the cache or through what `fetch` makes, which runs detached; `fetch` is called only
    /// if it is needed.
    ///
    /// A fetch has to end by itself (its calls have deadlines). Dropping the future of `get` leaves it running.
    pub async fn get<Fetched>(
        &self,
        key: &K,
        fetch: impl FnOnce() -> Fetched,
    ) -> Result<Served<V>, Failure<E>>
    where
        Fetched: Future<Output = Result<V, E>> + Send + 'static,
    {
        self.get_if(key, Want::Any, || Ok(()), |()| fetch()).await
    }

    /// The same, where a fetch begins only if `admit` allows it, with what that gives.
    ///
    /// A failure of `admit` is its caller's alone: the key is not held to have failed, a token that lives
    /// is served all the same, and the next caller may be allowed.
    pub async fn get_if<P, Fetched>(
        &self,
        key: &K,
        want: Want,
        admit: impl FnOnce() -> Result<P, Failure<E>>,
        fetch: impl FnOnce(P) -> Fetched,
    ) -> Result<Served<V>, Failure<E>>
    where
        Fetched: Future<Output = Result<V, E>> + Send + 'static,
    {
        let now = self.inner.clock.now();
        if let Some(served) = self.inner.peek(key, want, now) {
            return Ok(served);
        }
        let mut landing = match self.inner.step(key, want, now, admit, fetch) {
            Step::Serve(served) => return Ok(served),
            Step::Refuse(failure) => return Err(failure),
            Step::Wait(landing) => landing,
        };
        // The sender is dropped without a value only when the fetch itself is gone.
        let landed = landing.wait_for(Option::is_some).await.ok().and_then(|landed| landed.clone());
        landed.unwrap_or(Err(Failure::Abandoned)).map(|held| held.serve(self.inner.clock.now(), false))
    }

    /// Drops `value` if it is still what `key` holds: its audience refused it, so the next caller fetches anew.
    pub fn discard(&self, key: &K, value: &Arc<V>) {
        if let Some(slot) = self.inner.write().get_mut(key) {
            slot.discard(value);
        }
    }

    /// Drops every key that `keep` refuses, with what it holds; a fetch under way for it is not kept either.
    pub fn retain(&self, mut keep: impl FnMut(&K) -> bool) {
        self.inner.write().retain(|key, _| keep(key));
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.inner.read().len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V, E> Clone for Tokens<K, V, E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<K, V, E> std::fmt::Debug for Tokens<K, V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

// === impl Inner ===

impl<K, V, E> Inner<K, V, E> {
    // A panic while the lock is held leaves at worst a slot without its newest token.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<K, Slot<V, E>>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<K, Slot<V, E>>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, E> Inner<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: AsRef<Token> + Send + Sync + 'static,
    E: SourceError + Send + Sync + 'static,
{
    /// The usual case: a token that can be served as it is.
    fn peek(&self, key: &K, want: Want, now: Moment) -> Option<Served<V>> {
        let slots = self.read();
        let slot = slots.get(key)?;
        slot.touch(now);
        match want.decide(&slot.entry(), now) {
            Decision::Fresh => slot.serve(now),
            _ => None,
        }
    }

    /// Every other case: somebody may have to start a fetch, and only one may.
    fn step<P, Fetched>(
        self: &Arc<Self>,
        key: &K,
        want: Want,
        now: Moment,
        admit: impl FnOnce() -> Result<P, Failure<E>>,
        fetch: impl FnOnce(P) -> Fetched,
    ) -> Step<V, E>
    where
        Fetched: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (step, departing) = {
            let mut slots = self.write();
            let mut departing = None;
            let known = slots.get(key);
            let decision = known.map_or(Decision::Fetch, |slot| want.decide(&slot.entry(), now));
            if matches!(decision, Decision::Fetch | Decision::RefreshAhead) {
                match admit() {
                    Ok(admitted) => departing = Some(admitted),
                    Err(failure) => {
                        let living = known.and_then(|slot| slot.serve(now));
                        let living = living.filter(|served| !served.left.is_zero());
                        return living.map_or(Step::Refuse(failure), Step::Serve);
                    }
                }
            }
            if known.is_none() {
                slot::make_room(&mut slots, self.settings.capacity);
            }
            let slot = slots.entry(key.clone()).or_default();
            slot.touch(now);
            let departing = departing.take().map(|admitted| {
                let id = self.flights.fetch_add(1, Ordering::Relaxed);
                (Flight::new(self.clone(), key.clone(), id, slot.take_off(id)), admitted)
            });
            let step = match decision {
                Decision::Fresh | Decision::RefreshAhead => slot.serve(now).map(Step::Serve),
                Decision::Join | Decision::Fetch => slot.landing().map(Step::Wait),
                Decision::Expired(retry_after) => slot.failure(retry_after).map(Step::Refuse),
            };
            (step, departing)
        };
        // Without the lock: a runtime that is shutting down drops the task at once, and with it the flight.
        if let Some((flight, admitted)) = departing {
            self.tasks.spawn(flight.fly(fetch(admitted)));
        }
        step.unwrap_or(Step::Refuse(Failure::Abandoned))
    }
}

// === impl Want ===

impl Want {
    fn decide(self, entry: &Entry, now: Moment) -> Decision {
        match self {
            Self::Any => token::decide(entry, now),
            Self::Fresh => token::decide_anew(entry, now),
        }
    }
}

// === impl Settings ===

impl Default for Settings {
    /// 2048 keys; half a second after the first failure, doubling to half a minute.
    fn default() -> Self {
        let backoff = Policy {
            attempts: u32::MAX,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            patience: Duration::from_mins(5),
        };
        Self { capacity: 2048, backoff }
    }
}

// === impl Failure ===

impl<E> Clone for Failure<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Source { error, retry_after } => {
                Self::Source { error: error.clone(), retry_after: *retry_after }
            }
            Self::Abandoned => Self::Abandoned,
        }
    }
}

impl SourceError for crate::imds::Error {
    fn retry_after(&self) -> Option<Duration> {
        self.retry_after()
    }
}

impl SourceError for crate::entra::Error {
    fn retry_after(&self) -> Option<Duration> {
        self.retry_after()
    }
}
