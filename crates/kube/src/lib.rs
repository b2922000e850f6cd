//! The custom resources, and the only place that names Kubernetes types: objects to facts, watches, lease, events.
//!
//! | question | room |
//! | --- | --- |
//! | what do the four kinds look like? | [`crd`] |
//! | what does an object say to a decision? | [`facts`] |
//! | what changes in the cluster? | [`watch`] |
//! | what does it say right now? | [`lookup`] |
//! | do we lead? | [`lease`] |
//! | how are assignments written? | [`records`] |
//! | how does a component remember something? | [`ledger`] |
//! | how does a taint go? | [`taint`] |
//! | what stands behind a pod identity of the add-on? | [`pod_identities`] |
//! | how does podid get into a cluster, and out of it? | [`installation`] |
//! | how do owners of objects learn of it? | [`events`] |
//! | how do we reach the API server? | [`client`] |
//! | how does a call end? | [`call`] |
//! | what has to be applied to a cluster? | [`manifests`] |
//! | how do the definitions in a cluster become ours? | [`definitions`] |
//! | what did the original leave in a cluster? | [`survey`] |
//! | what lies between a pod and its token? | [`mod@scene`] |
//! | who runs with which powers, and who may change what? | [`census`] |

pub mod call;
pub mod census;
pub mod client;
pub mod crd;
pub mod definitions;
pub mod events;
pub mod facts;
pub mod installation;
pub mod lease;
pub mod ledger;
pub mod lookup;
pub mod manifests;
pub mod pod_identities;
pub mod pulse;
pub mod records;
pub mod scene;
pub mod survey;
pub mod taint;
#[cfg(test)]
mod testing;
pub mod watch;

pub use kube::Client;
