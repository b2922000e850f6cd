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

/// Fewer are of no use: a few clients with a few connections each.
const LEAST: usize = 16;

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
    /// With no more connections than this, the crowd is no longer full.
    half: usize,
}

/// Why a connection cannot come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Who has too many.
    pub(super) of: Of,
    /// Whether this is the first refusal for that reason since it had gone.
    pub(super) first: bool,
}

/// Who has too many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// This client.
    Client,
    /// All clients together.
    Server,
}

/// The process may open too few files to serve anybody. The system must allow more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {0} files, which leaves no room for connections; allow {least} at least (ulimit -n, or \
     LimitNOFILE of the service)", least = DESCRIPTORS_APART + LEAST * DESCRIPTORS_EACH
)]
pub struct TooFewDescriptors(u64);

#[derive(Debug, Default)]
struct Present {
    all: usize,
    /// Whether somebody was refused because of all, and half of them have not gone since.
    refused: bool,
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
    pub fn within(self, descriptors: u64) -> Result<Self, TooFewDescriptors> {
        let count = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let room = count.saturating_sub(DESCRIPTORS_APART) / DESCRIPTORS_EACH;
        if room < LEAST {
            return Err(TooFewDescriptors(descriptors));
        }
        let reserve = self.reserve.min(room / 4);
        let all = self.all.min(room - reserve);
        Ok(Self { all, each: self.each.min(all / 2), reserve })
    }

    fn admit(self, all: usize, of_peer: usize) -> Result<(), Of> {
        let most = if of_peer < ALWAYS { self.all.saturating_add(self.reserve) } else { self.all };
        if of_peer >= self.each {
            Err(Of::Client)
        } else if all >= most {
            Err(Of::Server)
        } else {
            Ok(())
        }
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
        let present = &mut *lock(&self.present);
        let known = present.of.get_mut(&peer);
        match self.limits.admit(present.all, known.as_ref().map_or(0, |client| client.connections)) {
            Ok(()) => {
                let client = present.of.entry(peer).or_default();
                client.connections += 1;
                client.refused = false;
                present.all += 1;
                Ok(Place { peer, present: self.present.clone(), half: self.limits.all / 2 })
            }
            Err(of) => {
                let refused = match (of, known) {
                    (Of::Client, Some(client)) => &mut client.refused,
                    _ => &mut present.refused,
                };
                Err(Full { of, first: !std::mem::replace(refused, true) })
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = lock(&self.present);
        present.all = present.all.saturating_sub(1);
        present.refused &= present.all > self.half;
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
    fn a_full_server_says_so_once_whoever_comes_and_again_after_it_had_room() {
        let crowd = Crowd::new(Limits { all: 4, each: 4, reserve: 0 });
        let mut places = enter(&crowd, 1, 4);
        let refused = |last| crowd.enter(peer(last)).unwrap_err();
        assert_eq!(refused(2), Full { of: Of::Server, first: true });
        assert_eq!([refused(2).first, refused(3).first], [false, false]);
        assert_eq!(refused(1), Full { of: Of::Client, first: true });
        places.pop();
        places.extend(enter(&crowd, 1, 1));
        assert!(!refused(2).first, "it was full a moment ago");
        places.truncate(2);
        places.extend(enter(&crowd, 1, 2));
        assert!(refused(2).first);
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
        assert_eq!(wanted.within(1 << 20), Ok(wanted));
        for descriptors in [160, 200, 256, 1024, 4096, u64::MAX] {
            let limits = wanted.within(descriptors).unwrap();
            let most = ((limits.all + limits.reserve) * DESCRIPTORS_EACH) as u64;
            assert!(most + DESCRIPTORS_APART as u64 <= descriptors, "{descriptors}: {limits:?}");
            assert!(limits.each <= wanted.each && limits.each * 2 <= limits.all, "{limits:?}");
            assert!(limits.each >= ALWAYS, "{limits:?}");
        }
    }

    #[test]
    fn too_few_descriptors_to_serve_anybody_are_an_error_that_says_how_many_it_takes() {
        for descriptors in [0, 100, 159] {
            let error = Limits::default().within(descriptors).unwrap_err().to_string();
            assert!(
                error.contains(&format!("may open {descriptors} files")) && error.contains("160"),
                "{error}"
            );
        }
    }
}
