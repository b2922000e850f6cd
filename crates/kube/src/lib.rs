//! The custom resources, and the only place that names Kubernetes types: objects to facts, watches, lease, events.

pub mod crd;
pub mod facts;
pub mod manifests;
pub mod watch;
