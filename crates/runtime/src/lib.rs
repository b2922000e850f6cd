//! What does every long-running role share, whatever its trade?
//!
//! Telemetry, shutdown, readiness, tracked tasks, a small HTTP server, and on top of it the probe and metrics
//! servers. Nothing here knows what the program is for.

pub mod admin;
pub mod descriptors;
pub mod http;
pub mod lines;
pub mod liveness;
pub mod metrics;
pub mod process;
pub mod readiness;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
