//! Does the Helm chart install what podid needs, and refuse what cannot work?
#![allow(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::panic,
    reason = "these are tests; outside of the functions marked so, too"
)]

mod compare;
mod difference;
mod helm;
mod install;
mod monitoring;
mod refusals;
mod render;
mod values;
