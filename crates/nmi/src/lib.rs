//! The node agent: redirect, token server, answers.
//!
//! A token request walks [`server`] → `caller` → `podid_core::answer` → [`source`]; a change in the
//! cluster walks [`world`] → [`snapshot`], and wakes the requests that wait for it.

pub mod audit;
mod caller;
pub mod cleanup;
pub mod clock;
mod config;
pub mod forward;
mod kubenet;
pub mod lookup;
pub mod metrics;
pub mod neighbour;
mod netlink;
pub mod notice;
mod origin;
pub mod pace;
mod record;
pub mod redirect;
mod reply;
mod run;
pub mod selftest;
pub mod server;
pub mod snapshot;
pub mod source;
mod taint;
pub mod world;

pub use config::{Callers, Config, Holds, Running};
pub use run::{Error, run};
