//! The embedded Kubernetes API: small, but the same wherever the real one is asked the same.
//!
//! [`Store`] holds the objects; the lab's own parts use it directly. [`serve`] offers it to kubectl, MIC and NMI over
//! TLS. What is left out on purpose: server-side apply, pagination, authorization, controllers other than the
//! namespace's.

mod admit;
mod catalogue;
mod convert;
mod history;
mod logs;
mod patch;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod table;

pub use catalogue::{
    CONFIG_MAPS, CRDS, CrdError, ENDPOINTS, EVENTS, LEASES, NAMESPACES, NODES, PODS, Resource, SECRETS,
    SERVICE_ACCOUNTS,
};
pub use history::{Change, Event};
pub use logs::{LogOptions, PodLogs};
pub use selector::Selector;
pub use server::{Access, serve};
pub use status::{Cause, Status};
pub use store::{DeleteOptions, List, Settings, Store};
