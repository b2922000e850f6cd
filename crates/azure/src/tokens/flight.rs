//! How does a fetch end for the cache and for those who wait?

use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::watch;

use super::slot::{Landed, Slot};
use super::{Inner, SourceError};
use crate::token::Token;

/// A fetch under way. Dropped without landing, it lets the next caller start another one.
pub(super) struct Flight<K: Eq + Hash, V, E> {
    cache: Arc<Inner<K, V, E>>,
    key: K,
    id: u64,
    sender: watch::Sender<Option<Landed<V, E>>>,
}

// === impl Flight ===

impl<K: Eq + Hash, V, E> Flight<K, V, E> {
    pub(super) fn new(
        cache: Arc<Inner<K, V, E>>,
        key: K,
        id: u64,
        sender: watch::Sender<Option<Landed<V, E>>>,
    ) -> Self {
        Self { cache, key, id, sender }
    }
}

impl<K, V, E> Flight<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: AsRef<Token> + Send + Sync + 'static,
    E: SourceError + Send + Sync + 'static,
{
    /// Fetches, keeps the result and tells it to those who wait.
    pub(super) async fn fly(self, fetch: impl Future<Output = Result<V, E>>) {
        let outcome = fetch.await;
        let now = self.cache.clock.now();
        let landed = {
            let mut slots = self.cache.write();
            let mut gone = Slot::default();
            // The key may have been dropped meanwhile: those who wait are served, nothing is kept.
            let slot = slots.get_mut(&self.key).filter(|slot| slot.is_flying(self.id)).unwrap_or(&mut gone);
            slot.land(outcome, now, &self.cache.settings.backoff)
        };
        self.sender.send_replace(Some(landed));
    }
}

impl<K: Eq + Hash, V, E> Drop for Flight<K, V, E> {
    fn drop(&mut self) {
        if let Some(slot) = self.cache.write().get_mut(&self.key).filter(|slot| slot.is_flying(self.id)) {
            slot.crash();
        }
    }
}
