//! A simulated Azure and Kubernetes on one machine, in which the shipped binary runs.
//!
//! The lab knows no other crate of podid: it starts the running binary as child processes and
//! speaks wire formats of its own, so that a wrong field name cannot hide on both sides.

pub mod api;
pub mod azure;
pub mod net;
