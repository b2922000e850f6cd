//! Which addresses are taken, and how many pods has each node?

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use crate::net::pod_address;

/// First and last place of a pod in its node's network.
const PLACES: std::ops::RangeInclusive<u8> = 10..=250;

/// The places that pods have on each node, by the node's number.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<BTreeMap<u8, Node>>,
}

#[derive(Debug, Default)]
struct Node {
    taken: BTreeSet<u8>,
    last: Option<u8>,
}

// === impl Places ===

impl Places {
    /// An address that no pod of the node has; the one that was free for the longest time.
    pub(super) fn take(&self, number: u8) -> Option<Ipv4Addr> {
        let mut nodes = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let node = nodes.entry(number).or_default();
        let after = node.last.map_or(*PLACES.start(), |last| last.saturating_add(1));
        let free = |place: &u8| !node.taken.contains(place);
        let place = (after..=*PLACES.end()).find(free).or_else(|| PLACES.into_iter().find(free))?;
        node.taken.insert(place);
        node.last = Some(place);
        Some(pod_address(number, place))
    }

    /// The address is free again.
    pub(super) fn give_back(&self, address: Ipv4Addr) {
        let [_, _, number, place] = address.octets();
        let mut nodes = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get_mut(&number) {
            node.taken.remove(&place);
        }
    }

    /// Number of pods with an address, by node.
    pub(super) fn counts(&self) -> BTreeMap<u8, usize> {
        let nodes = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.iter().map(|(number, node)| (*number, node.taken.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_used_again_only_when_all_others_were() {
        let places = Places::default();
        let first = places.take(1).unwrap();
        places.give_back(first);
        assert_ne!(places.take(1).unwrap(), first);
        let rest: BTreeSet<_> = std::iter::from_fn(|| places.take(1)).collect();
        assert!(rest.contains(&first));
        assert_eq!(rest.len() + 1, PLACES.count());
        assert_eq!(places.take(2), Some(pod_address(2, 10)));
    }
}
