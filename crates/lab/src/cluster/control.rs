//! Which API server does the lab have, and with which rights does each part speak to it?

use std::path::PathBuf;

use crate::client::Client;

pub(super) mod embedded;
pub(super) mod guest;

pub(super) use guest::Guest;

/// The API server, embedded or given, and the ways to it.
pub(crate) struct Control {
    /// The lab's own way, with every right.
    pub client: Client,
    /// The kubeconfig that people use.
    pub for_people: PathBuf,
    /// The kubeconfig that MIC uses.
    pub for_mic: PathBuf,
    /// The kubeconfig that the node agents use.
    pub for_nmi: PathBuf,
}
