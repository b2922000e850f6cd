//! What do the policies that are off by default refuse on a real API server, and what do they let pass?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod cluster;
mod net_raw;
mod pod_security;
mod pods;
mod users;
