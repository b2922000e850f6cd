//! Does the simulated Azure keep the contracts that Microsoft publishes? Asked over real sockets, as clients do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what the cases share is test code, though not marked with #[test]"
)]

mod arm;
mod assignment;
mod clusters;
mod entra;
mod faults;
mod imds;
mod resources;
mod vault;
mod world;
