//! The embedded Kubernetes API: small, but the same wherever the real one is asked the same.
//!
//! [`Store`] holds the objects and [`serve`] offers them over TLS. Nothing else of the lab touches the store: kubelet
//! and story are clients, as kubectl, MIC and NMI are. What is left out on purpose: server-side apply, pagination, authorization, controllers other than the
//! namespace's.

mod admit;
mod catalogue;
mod convert;
mod history;
mod logs;
mod patch;
mod resource;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod write;

pub use catalogue::CrdError;
pub use history::{Change, Event};
pub use logs::{LogOptions, PodLogs};
pub use resource::{
    CONFIG_MAPS, CRDS, ENDPOINTS, EVENTS, LEASES, NAMESPACES, NODES, PODS, Resource, SECRETS,
    SERVICE_ACCOUNTS,
};
pub use selector::Selector;
pub use server::{Access, serve};
pub use status::{Cause, Status};
pub use store::{DeleteOptions, List, Settings, Store};
