//! The node agent: redirect, token server, answers.

pub mod redirect;
