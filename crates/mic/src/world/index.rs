//! Which values belong to a key, both ways kept small?

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// Sets of values by key. A key without values does not exist.
#[derive(Debug)]
pub(super) struct Index<K, V> {
    sets: HashMap<K, BTreeSet<V>>,
}

// === impl Index ===

impl<K: Eq + Hash, V: Ord> Index<K, V> {
    /// Adds `value`; true if it is the first of `key`.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        let set = self.sets.entry(key).or_default();
        let first = set.is_empty();
        set.insert(value);
        first
    }

    /// Removes `value`; true if `key` has none left.
    pub(super) fn remove<Q, R>(&mut self, key: &Q, value: &R) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
        V: Borrow<R>,
        R: Ord + ?Sized,
    {
        let Some(set) = self.sets.get_mut(key) else { return false };
        set.remove(value);
        let last = set.is_empty();
        if last {
            self.sets.remove(key);
        }
        last
    }

    /// The values of `key`, in order.
    pub(super) fn get<Q>(&self, key: &Q) -> impl Iterator<Item = &V> + use<'_, K, V, Q>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.sets.get(key).into_iter().flatten()
    }

    /// All values of all keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.sets.values().flatten()
    }
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { sets: HashMap::new() }
    }
}
