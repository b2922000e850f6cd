//! What does a real API server make of the four kinds, old objects, bad objects and writers?
//!
//! One control plane for all. It begins as a cluster of aad-pod-identity: its definitions, its objects, and objects that
//! only the absence of rules allowed. Then podid's definitions, roles and policies come, by podid's own commands.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod bad;
mod cluster;
mod corrections;
mod definitions;
mod original;
mod page;
mod plain;
mod writers;
