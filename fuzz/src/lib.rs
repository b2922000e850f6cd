//! What does the node agent do with bytes that nobody would send?
//!
//! [`run`] sends inputs to a real server in this process, over real connections: [`corpus`] first, then what
//! [`mutate`] makes of it. [`judge`] says of each answer whether it may be one; it reads the input by rules of its
//! own, so that a mistake of the agent's cannot hide on both sides.

#![allow(missing_docs, reason = "nobody but its own program and test uses it")]

pub mod agent;
pub mod corpus;
pub mod judge;
pub mod mutate;
pub mod run;
pub mod wire;
