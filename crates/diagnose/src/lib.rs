//! Why does this pod get no token, and what mends it?
//!
//! The chain is walked by `podid_core`, with the code that MIC and NMI decide with; here the cluster and
//! Azure are asked, and the answer is told.

pub mod explain;
