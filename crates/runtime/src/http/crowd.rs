//! Who is connected, and may one more come in?
//!
//! A client that opens connections without end takes no more than its own share, and when many do so together,
//! every other client still gets a few.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections of a client are always possible, until the reserve is used up too.
const ALWAYS: usize = 4;

/// What an open connection may cost at most: itself, and one to whoever is asked on its behalf.
const DESCRIPTORS_EACH: usize = 2;

/// Descriptors for everything else that the process does.
const DESCRIPTORS_APART: usize = 128;

/// How many connections a server keeps open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From everybody together.
    pub all: usize,
    /// From one address.
    pub each: usize,
    /// Beyond `all`, for clients that have next to none.
    pub reserve: usize,
}

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Crowd {
    limits: Limits,
    present: Arc<Mutex<Present>>,
}

/// A connection's place in the crowd, which it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    peer: IpAddr,
    present: Arc<Mutex<Present>>,
}

/// Why a connection cannot come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Whether this is the first one since the client's connections were all let in.
    pub(super) first: bool,
}

#[derive(Debug, Default)]
struct Present {
    all: usize,
    of: HashMap<IpAddr, Client>,
}

#[derive(Debug, Default)]
struct Client {
    connections: usize,
    refused: bool,
}

// === impl Limits ===

impl Limits {
    /// These limits, or as much of them as `descriptors` allow.
    #[must_use]
    pub fn within(self, descriptors: u64) -> Self {
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let room = descriptors.saturating_sub(DESCRIPTORS_APART) / DESCRIPTORS_EACH;
        let reserve = self.reserve.min(room / 4);
        let all = self.all.min(room - reserve);
        Self { all, each: self.each.min((all / 2).max(1)), reserve }
    }

    fn admit(self, all: usize, of_peer: usize) -> bool {
        let most = if of_peer < ALWAYS { self.all.saturating_add(self.reserve) } else { self.all };
        of_peer < self.each && all < most
    }
}

impl Default for Limits {
    /// For some hundred clients: 256 from one address, 2,048 in all and 512 in reserve.
    fn default() -> Self {
        Self { all: 2048, each: 256, reserve: 512 }
    }
}

// === impl Crowd ===

impl Crowd {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, present: Arc::default() }
    }

    /// Lets a connection of `peer` in.
    pub(super) fn enter(&self, peer: IpAddr) -> Result<Place, Full> {
        let peer = peer.to_canonical();
        let mut present = lock(&self.present);
        let all = present.all;
        let client = present.of.entry(peer).or_default();
        if self.limits.admit(all, client.connections) {
            client.connections += 1;
            client.refused = false;
            present.all += 1;
            return Ok(Place { peer, present: self.present.clone() });
        }
        let first = !std::mem::replace(&mut client.refused, true);
        if client.connections == 0 {
            present.of.remove(&peer);
        }
        Err(Full { first })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = lock(&self.present);
        present.all = present.all.saturating_sub(1);
        if let Some(client) = present.of.get_mut(&self.peer) {
            client.connections = client.connections.saturating_sub(1);
            if client.connections == 0 {
                present.of.remove(&self.peer);
            }
        }
    }
}

/// Counters are never left half changed.
fn lock(present: &Mutex<Present>) -> MutexGuard<'_, Present> {
    present.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn enter(crowd: &Crowd, last: u8, times: usize) -> Vec<Place> {
        (0..times).filter_map(|_| crowd.enter(peer(last)).ok()).collect()
    }

    #[test]
    fn one_client_gets_its_share_and_no_more_until_it_closes_some() {
        let crowd = Crowd::new(Limits { all: 100, each: 5, reserve: 10 });
        let mut places = enter(&crowd, 1, 10_000);
        assert_eq!((places.len(), enter(&crowd, 2, 5).len()), (5, 5));
        places.pop();
        assert_eq!(enter(&crowd, 1, 10_000).len(), 1);
    }

    #[test]
    fn when_all_is_taken_others_still_get_a_few_until_the_reserve_is_gone() {
        let crowd = Crowd::new(Limits { all: 20, each: 10, reserve: 10 });
        let greedy: Vec<_> = (1..=2).flat_map(|last| enter(&crowd, last, 10)).collect();
        assert_eq!(greedy.len(), 20);
        let modest: Vec<_> = (3..=9).map(|last| enter(&crowd, last, 10)).collect();
        let counts: Vec<_> = modest.iter().map(Vec::len).collect();
        assert_eq!(counts, [4, 4, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn a_client_is_refused_for_the_first_time_once() {
        let crowd = Crowd::new(Limits { all: 10, each: 1, reserve: 0 });
        let place = crowd.enter(peer(1)).unwrap();
        let first = || crowd.enter(peer(1)).unwrap_err().first;
        assert_eq!([first(), first(), first()], [true, false, false]);
        drop(place);
        let _place = crowd.enter(peer(1)).unwrap();
        assert!(first());
    }

    #[test]
    fn an_address_is_one_however_it_is_written_and_is_forgotten_when_it_is_gone() {
        let crowd = Crowd::new(Limits { all: 10, each: 1, reserve: 0 });
        let place = crowd.enter("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(crowd.enter(peer(1)).is_err());
        drop(place);
        let none = Crowd::new(Limits { all: 0, each: 1, reserve: 0 });
        assert!(none.enter(peer(1)).is_err());
        for crowd in [crowd, none] {
            let present = lock(&crowd.present);
            assert_eq!((present.all, present.of.len()), (0, 0));
        }
    }

    #[test]
    fn limits_leave_descriptors_for_the_rest_of_the_process() {
        let wanted = Limits::default();
        assert_eq!(wanted.within(1 << 20), wanted);
        for descriptors in [0, 100, 200, 256, 1024, 4096, u64::MAX] {
            let limits = wanted.within(descriptors);
            let most = ((limits.all + limits.reserve) * DESCRIPTORS_EACH) as u64;
            assert!(most == 0 || most + DESCRIPTORS_APART as u64 <= descriptors, "{descriptors}: {limits:?}");
            assert!(
                limits.each <= wanted.each && (limits.each == 1 || limits.each * 2 <= limits.all),
                "{limits:?}"
            );
        }
    }
}
