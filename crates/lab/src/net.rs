//! How do nodes and pods get a network of their own?
//!
//! The network namespace in which [`Fabric::build`] is called becomes the data centre: it holds the addresses of
//! the simulated Azure and routes between nodes. Each node and each pod is a further namespace, joined to the
//! next by a veth pair. Nothing is bound into the file system: a namespace lives as long as somebody holds its
//! [`Namespace`] or a process runs inside it.
//!
//! Every call blocks for a few milliseconds on a thread of its own; from asynchronous code, use
//! `tokio::task::spawn_blocking`.

mod addresses;
mod fabric;
mod links;
mod namespace;
mod probe;

pub use addresses::{GATEWAY, METADATA, bridge_address, node_address, pod_address, pod_network};
pub use fabric::{Fabric, Node, NodeStyle};
pub use namespace::Namespace;
pub use probe::{Denied, probe};

use std::io;

/// What can go wrong while the lab builds its network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host forbids the operation. Tell the user what to change.
    #[error("not permitted to {operation}: {source}")]
    Denied {
        /// What was tried, as in "create a bridge cbr0".
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The kernel has no driver for it. Tell the user which one.
    #[error("this kernel cannot {operation}: {source}")]
    Unsupported {
        /// What was tried.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A node or pod that exists is added again, or one is asked for that does not exist. A mistake of the caller.
    #[error("{0}")]
    Conflict(String),
    /// Anything else. Give up and report.
    #[error("failed to {operation}: {source}")]
    Failed {
        /// What was tried.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

// === impl Error ===

impl Error {
    fn new(operation: impl Into<String>, source: io::Error) -> Self {
        let operation = operation.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { operation, source },
            io::ErrorKind::Unsupported => Self::Unsupported { operation, source },
            _ => Self::Failed { operation, source },
        }
    }
}
