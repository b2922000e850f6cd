//! What was seen of each address, and what does a change of it put in doubt?

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use podid_core::ids::Uid;
use tokio::time::Instant;

/// How many addresses are remembered, of which the kernel's own table holds about a thousand.
const MOST: usize = 8192;

/// Where packets for an address go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Number of the link.
    pub(super) link: u32,
    /// Hardware address on it.
    pub(super) hardware: Vec<u8>,
}

/// Something of which nobody has said yet what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// When a change was noticed. None: nothing has changed, but nobody has looked at the address yet.
    pub since: Option<Instant>,
    number: u64,
}

/// Of an address that nobody has met.
const NEVER_LOOKED_AT: Doubt = Doubt { since: None, number: 0 };

/// What may be said of an address and the pod that is said to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The pod was found to have it, and nothing has happened since: the number changes with every change.
    Sure(u64),
    /// That has to be confirmed.
    Doubted(Doubt),
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Memory {
    seen: HashMap<IpAddr, Seen>,
    /// Which addresses are at a place.
    at: HashMap<Place, BTreeSet<IpAddr>>,
    number: u64,
}

#[derive(Debug)]
struct Seen {
    /// None if the kernel has never told of it.
    place: Option<Place>,
    /// Port of the bridge at which it was found last.
    port: Option<u32>,
    /// Whether the kernel still has it. It forgets neighbours that are silent; we do not.
    present: bool,
    /// Number of the last change.
    number: u64,
    /// The pod that was found to have it last.
    owner: Option<Uid>,
    doubt: Option<Doubt>,
}

// === impl Memory ===

impl Memory {
    /// Packets for `address` go there now.
    pub(super) fn seen(&mut self, address: IpAddr, place: Place, now: Instant) {
        if let Some(seen) = self.seen.get_mut(&address)
            && seen.place.as_ref() == Some(&place)
        {
            seen.present = true;
            return;
        }
        let number = self.next();
        self.at.entry(place.clone()).or_default().insert(address);
        let before = self.seen.remove(&address);
        // The first place of all is no change; whoever is there has still to be looked at.
        let changed = before.as_ref().is_some_and(|before| {
            before.place.is_some() || before.doubt.is_some_and(|doubt| doubt.since.is_some())
        });
        let doubt = Some(Doubt { since: changed.then_some(now), number });
        let (before, owner) = before.map_or((None, None), |before| (before.place, before.owner));
        self.seen
            .insert(address, Seen { place: Some(place), port: None, present: true, number, owner, doubt });
        if let Some(before) = before {
            self.leave(address, &before);
        }
        self.keep_few();
    }

    /// The kernel no longer knows where packets for `address` go.
    pub(super) fn lost(&mut self, address: IpAddr) {
        if let Some(seen) = self.seen.get_mut(&address) {
            seen.present = false;
        }
    }

    /// A bridge sends what is for the hardware address of `place` out at `port` now.
    pub(super) fn learned(&mut self, place: &Place, port: u32, now: Instant) {
        let at: Vec<IpAddr> = self.at.get(place).into_iter().flatten().copied().collect();
        for address in at {
            match self.seen.get(&address) {
                Some(seen) if seen.port == Some(port) => {}
                // Whoever looks at it right now may have seen the port of before: what they found settles nothing.
                Some(Seen { port: None, doubt: Some(doubt), .. }) => {
                    let since = doubt.since;
                    let number = self.next();
                    if let Some(seen) = self.seen.get_mut(&address) {
                        seen.number = number;
                        seen.doubt = Some(Doubt { since, number });
                    }
                }
                Some(Seen { port: None, .. }) | None => {}
                Some(_) => drop(self.cast_doubt(address, now)),
            }
        }
    }

    /// A link is gone, and with it whoever was behind it.
    pub(super) fn link_gone(&mut self, link: u32, now: Instant) {
        let behind = self.seen.iter_mut().filter(|(_, seen)| {
            seen.port == Some(link) || seen.place.as_ref().is_some_and(|place| place.link == link)
        });
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
        // Among the lost ones may have been farewells; whom the kernel still has, it is asked for again.
        for seen in self.seen.values_mut() {
            seen.present = false;
        }
        let all: Vec<IpAddr> = self.seen.keys().copied().collect();
        for address in all {
            self.cast_doubt(address, now);
        }
    }

    pub(super) fn knows(&self, address: IpAddr) -> bool {
        self.seen.get(&address).is_some_and(|seen| seen.place.is_some())
    }

    /// What is to be confirmed before anybody is believed to have `address`. What nobody has looked at is doubtful,
    /// too.
    pub(super) fn doubt(&self, address: IpAddr) -> Option<Doubt> {
        self.seen.get(&address).map_or(Some(NEVER_LOOKED_AT), |seen| seen.doubt)
    }

    /// Whether `owner` was found to have `address`. Where another pod was, whoever says this one may be behind.
    pub(super) fn standing(&mut self, address: IpAddr, owner: &Uid, now: Instant) -> Standing {
        let Some(seen) = self.seen.get(&address) else { return Standing::Doubted(NEVER_LOOKED_AT) };
        match seen.doubt {
            Some(doubt) => Standing::Doubted(doubt),
            None if seen.owner.as_ref() == Some(owner) => Standing::Sure(seen.number),
            None => Standing::Doubted(self.cast_doubt(address, now)),
        }
    }

    /// The number of the last change of `address`.
    pub(super) fn version(&self, address: IpAddr) -> u64 {
        self.seen.get(&address).map_or(0, |seen| seen.number)
    }

    /// Ends `doubt`, unless something changed after it arose: `owner` has `address`, and packets for it leave the
    /// bridge at `port`, if there is one.
    pub(super) fn settle(
        &mut self,
        address: IpAddr,
        doubt: Doubt,
        owner: &Uid,
        port: Option<u32>,
    ) -> Standing {
        match self.seen.get_mut(&address) {
            Some(seen) if seen.doubt == Some(doubt) => {
                seen.doubt = None;
                seen.owner = Some(owner.clone());
                seen.port = port;
                Standing::Sure(seen.number)
            }
            None if doubt == NEVER_LOOKED_AT => {
                let owner = Some(owner.clone());
                let seen = Seen { place: None, port, present: false, number: 0, owner, doubt: None };
                self.seen.insert(address, seen);
                self.keep_few();
                Standing::Sure(0)
            }
            Some(Seen { doubt: None, owner: Some(known), number, .. }) if known == owner => {
                Standing::Sure(*number)
            }
            _ => Standing::Doubted(doubt),
        }
    }

    fn cast_doubt(&mut self, address: IpAddr, now: Instant) -> Doubt {
        let doubt = Doubt { since: Some(now), number: self.next() };
        if let Some(seen) = self.seen.get_mut(&address) {
            seen.number = doubt.number;
            seen.doubt = Some(doubt);
        }
        doubt
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Forgets who is gone: first those that nobody doubts, because the next one at a doubted address would
    /// look like the first one ever.
    fn keep_few(&mut self) {
        let changed = |seen: &Seen| seen.doubt.is_some_and(|doubt| doubt.since.is_some());
        if self.seen.len() > MOST {
            self.seen.retain(|_, seen| seen.present || changed(seen));
            if self.seen.len() > MOST {
                self.seen.retain(|_, seen| seen.present);
            }
            let seen = &self.seen;
            self.at.retain(|_, addresses| {
                addresses.retain(|address| seen.contains_key(address));
                !addresses.is_empty()
            });
        }
    }

    fn leave(&mut self, address: IpAddr, place: &Place) {
        if let Some(addresses) = self.at.get_mut(place) {
            addresses.remove(&address);
            if addresses.is_empty() {
                self.at.remove(place);
            }
        }
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

    fn web() -> Uid {
        Uid::new("web")
    }

    fn sure(standing: Standing) -> bool {
        matches!(standing, Standing::Sure(_))
    }

    fn changed(memory: &Memory, last: u8) -> bool {
        memory.doubt(address(last)).is_some_and(|doubt| doubt.since.is_some())
    }

    /// Looked at, and found good.
    fn look(memory: &mut Memory, last: u8, port: Option<u32>) {
        let doubt = memory.doubt(address(last)).unwrap();
        assert!(sure(memory.settle(address(last), doubt, &web(), port)));
        assert_eq!(memory.doubt(address(last)), None);
    }

    #[test]
    fn everybody_is_looked_at_once_and_the_same_again_raises_no_doubt() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        assert_eq!(memory.doubt(address(1)), Some(NEVER_LOOKED_AT));
        memory.seen(address(1), place(1, 1), now);
        assert!(memory.doubt(address(1)).is_some() && !changed(&memory, 1));
        look(&mut memory, 1, None);
        memory.seen(address(1), place(1, 1), now);
        memory.lost(address(1));
        memory.seen(address(1), place(1, 1), now);
        assert_eq!(memory.doubt(address(1)), None);
    }

    #[test]
    fn another_link_or_hardware_address_raises_one_also_after_silence() {
        for (silent, next) in
            [(false, place(1, 2)), (true, place(1, 2)), (false, place(2, 1)), (true, place(2, 1))]
        {
            let (mut memory, now) = (Memory::default(), Instant::now());
            memory.seen(address(1), place(1, 1), now);
            memory.seen(address(2), place(1, 9), now);
            look(&mut memory, 1, None);
            look(&mut memory, 2, None);
            if silent {
                memory.lost(address(1));
            }
            memory.seen(address(1), next.clone(), now);
            assert!(changed(&memory, 1), "{next:?} {silent}");
            assert_eq!(memory.doubt(address(2)), None);
        }
    }

    #[test]
    fn a_hardware_address_that_moves_to_another_port_takes_the_addresses_at_it_into_doubt() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for last in [1, 2] {
            memory.seen(address(last), place(1, last), now);
            look(&mut memory, last, Some(10 + u32::from(last)));
        }
        memory.learned(&place(1, 1), 11, now);
        memory.learned(&place(2, 1), 12, now);
        assert_eq!((memory.doubt(address(1)), memory.doubt(address(2))), (None, None));
        memory.learned(&place(1, 1), 12, now);
        assert!(changed(&memory, 1));
        assert_eq!(memory.doubt(address(2)), None);
        // Where it was before it took another hardware address is none of its business.
        memory.seen(address(2), place(1, 3), now);
        look(&mut memory, 2, Some(12));
        memory.learned(&place(1, 2), 11, now);
        assert_eq!(memory.doubt(address(2)), None);
    }

    #[test]
    fn a_link_or_port_that_goes_takes_all_behind_it_into_doubt() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for (last, link, port) in [(1, 1, None), (2, 2, None), (3, 3, Some(1)), (4, 3, Some(4))] {
            memory.seen(address(last), place(link, last), now);
            look(&mut memory, last, port);
        }
        memory.link_gone(1, now);
        assert_eq!([1, 2, 3, 4].map(|last| changed(&memory, last)), [true, false, true, false]);
        // The next one behind a link of that number is not the one before.
        let doubt = memory.doubt(address(1)).unwrap();
        memory.seen(address(1), place(1, 1), now);
        assert_eq!(memory.doubt(address(1)), Some(doubt));
    }

    #[test]
    fn a_doubt_is_settled_only_if_nothing_changed_since() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let unseen = memory.doubt(address(1)).unwrap();
        memory.seen(address(1), place(1, 1), now);
        assert!(!sure(memory.settle(address(1), unseen, &web(), None)));
        memory.seen(address(1), place(1, 2), now);
        let first = memory.doubt(address(1)).unwrap();
        memory.seen(address(1), place(1, 3), now);
        assert!(!sure(memory.settle(address(1), first, &web(), None)));
        let second = memory.doubt(address(1)).unwrap();
        assert!(sure(memory.settle(address(1), second, &web(), None)));
        assert_eq!(memory.doubt(address(1)), None);
    }

    #[test]
    fn whoever_names_another_pod_than_the_one_that_was_found_is_not_believed_at_once() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        memory.seen(address(1), place(1, 1), now);
        look(&mut memory, 1, None);
        let before = memory.standing(address(1), &web(), now);
        assert!(sure(before));
        let Standing::Doubted(doubt) = memory.standing(address(1), &Uid::new("job"), now) else { panic!() };
        assert!(doubt.since.is_some() && !sure(memory.standing(address(1), &web(), now)));
        let after = memory.settle(address(1), doubt, &Uid::new("job"), None);
        assert!(sure(after) && after != before, "{before:?} {after:?}");
        // Who confirmed the other one meanwhile confirmed something else.
        assert!(!sure(memory.settle(address(1), doubt, &web(), None)));
    }

    #[test]
    fn what_was_missed_may_be_anything() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for last in [1, 2] {
            memory.seen(address(last), place(1, last), now);
            look(&mut memory, last, None);
        }
        memory.missed(now);
        assert!(changed(&memory, 1) && changed(&memory, 2));
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
        assert!(changed(&memory, 1) && memory.seen.len() <= MOST && memory.at.len() <= MOST);
    }

    #[test]
    fn a_node_that_sees_ever_new_addresses_remembers_only_so_many() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        for number in 0..20_000u32 {
            let address = IpAddr::from(number.to_be_bytes());
            memory.seen(address, place(1, 1), now);
            memory.seen(address, place(number, 2), now);
            memory.lost(address);
            let address = IpAddr::from((number | 0x0b00_0000).to_be_bytes());
            memory.settle(address, NEVER_LOOKED_AT, &web(), None);
        }
        assert!(memory.seen.len() <= MOST && memory.at.len() <= MOST);
    }
}
