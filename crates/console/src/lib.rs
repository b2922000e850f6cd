//! How does a command speak to people, and to scripts?
//!
//! Answers go to standard output, in the [`Format`] that was asked for; what happens meanwhile goes to
//! standard error ([`Steps`]). Colour and movement are for terminals only.

pub mod exit;
mod format;
mod grid;
mod output;
mod page;
mod steps;

pub use format::{Format, Listing, Unwritable};
pub use grid::Grid;
pub use output::print;
pub use page::page;
pub use steps::{Step, Steps};
