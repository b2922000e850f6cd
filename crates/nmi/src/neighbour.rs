//! Does an address still lead to whom it led before, and is that the pod that was given it?
//!
//! A pod's address may be another's before any watch tells. But the node's kernel knows at once: the new
//! pod has another link, another hardware address or another port of the bridge, and packets for it must find
//! their way. So each change of an address's neighbour casts a doubt on what the watch says of that address,
//! until the Kubernetes API, asked after the change, says the same.
//!
//! That word is not enough where pods share a bridge: one that claims a neighbour's address changes nothing in
//! the API. So the way that answers would take is looked at, too, when an address is met for the first time and
//! after every change (`verdict`).
//!
//! Notices are read as they come, not waited for: a request overtakes one only if it is faster than the
//! handshake of its own connection. Where a data plane bypasses the neighbour table nothing is noticed.

mod follow;
mod memory;
mod path;
mod verdict;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use podid_core::ids::Uid;
use tokio::time::Instant;

pub use follow::Follower;
use memory::Memory;
pub use memory::{Doubt, Standing};
use path::Surveyor;
pub use verdict::{Astray, Verdict};

/// The neighbours of this node. Clones share what they know; the default sees no kernel and suspects nobody.
#[derive(Clone, Default)]
pub struct Neighbours(Arc<Shared>);

#[derive(Default)]
struct Shared {
    memory: Mutex<Memory>,
    surveyor: Option<tokio::sync::Mutex<Surveyor>>,
    /// What tests want to be found.
    #[cfg(test)]
    astray: Mutex<Option<Astray>>,
}

// === impl Neighbours ===

impl Neighbours {
    /// Those of the network namespace of the calling thread, kept up to date by the follower.
    pub fn watched() -> io::Result<(Self, Follower)> {
        let surveyor = Some(tokio::sync::Mutex::new(Surveyor::open()?));
        let neighbours = Self(Arc::new(Shared { surveyor, ..Shared::default() }));
        let follower = Follower::open(neighbours.clone())?;
        Ok((neighbours, follower))
    }

    /// Whether it was seen where packets for `address` go; what it is compared with later.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.lock().knows(address)
    }

    /// Whether what is known of `address` may be out of date, or was never looked at.
    pub fn doubt(&self, address: IpAddr) -> Option<Doubt> {
        self.lock().doubt(address)
    }

    /// Whether the pod `owner` was found to have `address`, and nothing has happened since.
    pub fn standing(&self, address: IpAddr, owner: &Uid) -> Standing {
        self.lock().standing(address, owner, Instant::now())
    }

    /// The number in [`Standing::Sure`], as it is now.
    pub fn version(&self, address: IpAddr) -> u64 {
        self.lock().version(address)
    }

    /// Whom answers to `address` would reach now. An error says that the kernel could not be asked.
    pub async fn survey(&self, address: IpAddr) -> io::Result<Verdict> {
        #[cfg(test)]
        if let Some(why) = *self.0.astray.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Verdict::Astray(why));
        }
        let Some(surveyor) = &self.0.surveyor else { return Ok(Verdict::Good(None)) };
        let way = surveyor.lock().await.way(address).await?;
        let verdict = verdict::judge(address, &way);
        tracing::debug!(%address, ?way, ?verdict, "looked at the way that answers take");
        Ok(verdict)
    }

    /// The pod `owner` was found to have `address` after this doubt arose, and answers leave a bridge at `port`.
    /// What may be said now.
    pub fn settle(&self, address: IpAddr, doubt: Doubt, owner: &Uid, port: Option<u32>) -> Standing {
        self.lock().settle(address, doubt, owner, port)
    }

    /// As if packets for `address` went to another hardware address from now on.
    #[cfg(test)]
    pub(crate) fn moved(&self, address: IpAddr) {
        for hardware in [vec![1], vec![2]] {
            let place = memory::Place { link: 1, hardware };
            self.change(|memory| memory.seen(address, place, Instant::now()));
        }
    }

    /// As if answers went astray from now on, or no more.
    #[cfg(test)]
    pub(crate) fn lead_astray(&self, why: Option<Astray>) {
        *self.0.astray.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn change(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
