//! What should people watch of podid, and when is something wrong?
//!
//! Alerts, panels and queries are data; the files below deploy/monitoring are written from them. That they name only
//! metrics and label values that exist is tested where the roles are known, in `podid`.

pub mod alert;
pub mod dashboard;
mod files;
pub mod query;
mod rules;

pub use files::{Unwritable, files};
