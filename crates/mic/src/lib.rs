//! The controller: decides and writes assignments, and puts identities on VMs and scale sets.
//!
//! What a pod event travels through:
//!
//! [`watches`] what is watched → [`world`] what has to be done → [`controller`] when →
//! [`records`] how records are written, [`worker`] how a VM or scale set is written, and
//! [`ownership`] how podid remembers what it put there → [`report`] how people are told.
//!
//! Decisions about one pod and one target are `podid-core`'s; [`lane`] adds to the latter what was
//! seen, what failed and how long to wait.

mod cloud_file;
mod compute;
mod config;
mod controller;
mod lane;
pub mod metrics;
mod news;
mod ownership;
mod problem;
mod records;
pub mod report;
mod run;
#[cfg(test)]
mod testing;
mod watches;
mod worker;
mod world;

pub use config::{Cloud, Config, Lock};
pub use controller::Deposed;
pub use run::{Error, run};
