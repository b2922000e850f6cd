//! Does an address still lead to whom it led before?
//!
//! A pod's address may be another's before any watch tells. But the node's kernel knows at once: the new
//! pod has another link or another hardware address, and packets for it must find their way. So each
//! change of an address's neighbour casts a doubt on what the watch says of that address, until the
//! Kubernetes API, asked after the change, says the same.
//!
//! Notices are read as they come, not waited for: a request overtakes one only if it is faster than the
//! handshake of its own connection. Where a data plane bypasses the neighbour table nothing is noticed.
//! A pod that forges another's hardware address is not noticed either; dropping `NET_RAW` prevents that.

mod follow;
mod memory;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use follow::Follower;
pub use memory::Doubt;
use memory::Memory;

/// The neighbours of this node. Clones share what they know; the default knows nothing and doubts nothing.
#[derive(Clone, Debug, Default)]
pub struct Neighbours(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether there is any doubt: mostly there is none, and requests need not wait for each other to see it.
    doubtful: AtomicBool,
    memory: Mutex<Memory>,
}

// === impl Neighbours ===

impl Neighbours {
    /// Those of the network namespace of the calling thread, kept up to date by the follower.
    pub fn watched() -> io::Result<(Self, Follower)> {
        let neighbours = Self::default();
        let follower = Follower::open(neighbours.clone())?;
        Ok((neighbours, follower))
    }

    /// Whether it was seen where packets for `address` go; what it is compared with later.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.lock().knows(address)
    }

    /// Whether what is known of `address` may be out of date.
    pub fn doubt(&self, address: IpAddr) -> Option<Doubt> {
        if !self.0.doubtful.load(Ordering::Acquire) {
            return None;
        }
        self.lock().doubt(address)
    }

    /// What is known of `address` was confirmed after this doubt arose.
    pub fn settle(&self, address: IpAddr, doubt: Doubt) {
        self.change(|memory| memory.settle(address, doubt));
    }

    /// As if packets for `address` went to another hardware address from now on.
    #[cfg(test)]
    pub(crate) fn moved(&self, address: IpAddr) {
        for hardware in [vec![1], vec![2]] {
            let place = memory::Place { link: 1, hardware };
            self.change(|memory| memory.seen(address, place, tokio::time::Instant::now()));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Memory)) {
        let mut memory = self.lock();
        change(&mut memory);
        self.0.doubtful.store(memory.is_doubtful(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
