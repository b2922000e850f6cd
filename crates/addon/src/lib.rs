//! How does a person grant an identity to pods with one command, and take it back?
//!
//! The decisions are `podid_core::addon`'s; here the cluster and Azure are asked and written. A command
//! looks, plans, and carries out one [`Step`](podid_core::addon::Step) after the other; where somebody else
//! wrote meanwhile it looks again. So it can be interrupted anywhere and run again.
//!
//! | question | room |
//! | --- | --- |
//! | how is a pod identity made, and when is it of use? | [`add`] |
//! | how is it taken away? | [`delete`] |
//! | which are there, and how do they stand? | [`list`] |
//! | which pods are excepted? | [`exception`] |
//! | how is podid turned on? | [`mod@enable`] |
//! | how is it turned off, and what stays? | [`mod@disable`] |
//! | may it be turned on here? | `prerequisites` |
//! | what of Azure is asked and written? | [`azure`] |
//! | who has to have the role? | [`owner`] |
//! | what is on the nodes, and who put it there? | `nodes` |

pub mod add;
pub mod azure;
pub mod delete;
pub mod disable;
pub mod enable;
mod error;
pub mod exception;
pub mod list;
mod nodes;
mod observe;
pub mod owner;
mod perform;
mod prerequisites;
#[cfg(test)]
mod testing;

use std::time::Duration;

use podid_console::Steps;
use podid_kube::Client;

pub use error::Error;
pub use perform::{Done, Progress};

use crate::azure::Azure;

/// What every command needs.
pub struct Session<A> {
    /// The cluster.
    pub client: Client,
    /// Azure.
    pub azure: A,
    /// Where progress is told.
    pub steps: Steps,
    /// How it is done.
    pub how: How,
}

/// How a command does what it does.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Wait until it is of use, or gone.
    pub wait: bool,
    /// Longest time to wait for that.
    pub patience: Duration,
    /// Most pod identities, or exceptions, that the cluster may have.
    pub limit: usize,
    /// Stop after so many steps, as an interruption would; for tests.
    pub stop_after: Option<usize>,
}

// === impl Session ===

impl<A: Azure> Session<A> {
    /// A session that does everything as usual.
    pub fn new(client: Client, azure: A, steps: Steps, how: How) -> Self {
        Self { client, azure, steps, how }
    }
}

// === impl How ===

impl Default for How {
    /// Do it, wait ten minutes at most, the add-on's limit.
    fn default() -> Self {
        Self {
            dry_run: false,
            wait: true,
            patience: Duration::from_mins(10),
            limit: podid_core::addon::DEFAULT_LIMIT,
            stop_after: None,
        }
    }
}
