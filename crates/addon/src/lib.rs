//! How does a person grant an identity to pods with one command, and take it back?
//!
//! The decisions are `podid_core::addon`'s; here the cluster and Azure are asked and written.
