//! What was seen of each address, and what does a change of it put in doubt?

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

/// How many addresses are remembered, of which the kernel's own table holds about a thousand.
const MOST: usize = 8192;

/// Where packets for an address go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the link.
    pub(super) link: u32,
    /// Hardware address on it.
    pub(super) hardware: Vec<u8>,
}

/// A change of which nobody has said yet what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// When the change was noticed.
    pub since: Instant,
    number: u64,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    places: HashMap<IpAddr, Seen>,
    doubts: HashMap<IpAddr, Doubt>,
    number: u64,
}

#[derive(Debug)]
struct Seen {
    place: Place,
    /// Whether the kernel still has it. It forgets neighbours that are silent; we do not.
    present: bool,
}

// === impl Memory ===

impl Memory {
    /// Packets for `address` go there now.
    pub(super) fn seen(&mut self, address: IpAddr, place: Place, now: Instant) {
        let moved = self.places.get(&address).is_some_and(|seen| seen.place != place);
        self.places.insert(address, Seen { place, present: true });
        if moved {
            self.cast_doubt(address, now);
        }
        self.keep_few();
    }

    /// Forgets who is gone: first those that nobody doubts, because the next one at a doubted address would
    /// look like the first one ever.
    fn keep_few(&mut self) {
        if self.places.len() > MOST {
            let doubts = &self.doubts;
            self.places.retain(|address, seen| seen.present || doubts.contains_key(address));
        }
        if self.places.len() > MOST {
            self.places.retain(|_, seen| seen.present);
            let places = &self.places;
            self.doubts.retain(|address, _| places.contains_key(address));
        }
    }

    /// The kernel no longer knows where packets for `address` go.
    pub(super) fn lost(&mut self, address: IpAddr) {
        if let Some(seen) = self.places.get_mut(&address) {
            seen.present = false;
        }
    }

    /// A link is gone, and with it whoever was behind it.
    pub(super) fn link_gone(&mut self, link: u32, now: Instant) {
        let behind = self.places.iter_mut().filter(|(_, seen)| seen.place.link == link);
        let gone: Vec<IpAddr> = behind
            .map(|(address, seen)| {
                seen.present = false;
                *address
            })
            .collect();
        for address in gone {
            self.cast_doubt(address, now);
        }
    }

    /// Notices were lost: any of the addresses may have changed.
    pub(super) fn missed(&mut self, now: Instant) {
        let all: Vec<IpAddr> = self.places.keys().copied().collect();
        for address in all {
            self.cast_doubt(address, now);
        }
    }

    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.places.contains_key(&address)
    }

    pub(super) fn doubt(&self, address: IpAddr) -> Option<Doubt> {
        self.doubts.get(&address).copied()
    }

    pub(super) fn is_doubtful(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// Ends `doubt`, unless another change came after it.
    pub(super) fn settle(&mut self, address: IpAddr, doubt: Doubt) {
        if self.doubts.get(&address) == Some(&doubt) {
            self.doubts.remove(&address);
        }
    }

    fn cast_doubt(&mut self, address: IpAddr, now: Instant) {
        self.number += 1;
        self.doubts.insert(address, Doubt { since: now, number: self.number });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(link: u32, last: u8) -> Place {
        Place { link, hardware: vec![2, 0, 0, 0, 0, last] }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_first_sight_and_the_same_again_raise_no_doubt() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        memory.seen(address(1), place(1, 1), now);
        memory.lost(address(1));
        memory.seen(address(1), place(1, 1), now);
        assert!(!memory.is_doubtful());
    }

    #[test]
    fn another_link_or_hardware_address_raises_one_also_after_silence() {
        for (silent, next) in
            [(false, place(1, 2)), (true, place(1, 2)), (false, place(2, 1)), (true, place(2, 1))]
        {
            let (mut memory, now) = (Memory::default(), Instant::now());
            memory.seen(address(1), place(1, 1), now);
            memory.seen(address(2), place(1, 9), now);
            if silent {
                memory.lost(address(1));
            }
            memory.seen(address(1), next.clone(), now);
            assert!(memory.doubt(address(1)).is_some(), "{next:?} {silent}");
            assert_eq!(memory.doubt(address(2)), None);
        }
    }

    #[test]
    fn a_link_that_goes_takes_all_behind_it_into_doubt() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        memory.seen(address(2), place(2, 2), now);
        memory.link_gone(1, now);
        assert!(memory.doubt(address(1)).is_some() && memory.doubt(address(2)).is_none());
        // The next one behind a link of that number is not the one before.
        let doubt = memory.doubt(address(1)).unwrap();
        memory.seen(address(1), place(1, 1), now);
        assert_eq!(memory.doubt(address(1)), Some(doubt));
    }

    #[test]
    fn a_doubt_is_settled_only_if_nothing_changed_since() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        memory.seen(address(1), place(1, 2), now);
        let first = memory.doubt(address(1)).unwrap();
        memory.seen(address(1), place(1, 3), now);
        memory.settle(address(1), first);
        let second = memory.doubt(address(1)).unwrap();
        memory.settle(address(1), second);
        assert!(!memory.is_doubtful());
    }

    #[test]
    fn what_was_missed_may_be_anything() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        memory.seen(address(2), place(1, 2), now);
        memory.missed(now);
        assert!(memory.doubt(address(1)).is_some() && memory.doubt(address(2)).is_some());
    }

    #[test]
    fn a_doubted_address_is_remembered_longer_than_those_that_nobody_doubts() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        memory.link_gone(1, now);
        for number in 0..20_000u32 {
            let address = IpAddr::from((number | 0x0b00_0000).to_be_bytes());
            memory.seen(address, place(2, 1), now);
            memory.lost(address);
        }
        assert!(memory.doubt(address(1)).is_some() && memory.places.len() <= MOST);
    }

    #[test]
    fn a_node_that_sees_ever_new_addresses_remembers_only_so_many() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for number in 0..20_000u32 {
            let address = IpAddr::from(number.to_be_bytes());
            memory.seen(address, place(1, 1), now);
            memory.seen(address, place(1, 2), now);
            memory.lost(address);
        }
        assert!(memory.places.len() <= MOST && memory.doubts.len() <= MOST);
    }
}
