//! Clients of IMDS, Entra and ARM; clouds, credentials, and the driver of the token cache.
//!
//! Everything goes through one [`http::Client`]. Secrets and tokens are [`secrecy::SecretString`]s
//! and appear in no error, log or `Debug` output.

pub mod arm;
mod clock;
pub mod cloud;
pub mod config;
pub mod credential;
pub mod entra;
#[cfg(test)]
mod fake;
pub mod http;
pub mod imds;
mod jitter;
pub mod login;
pub mod pace;
pub mod token;
pub mod tokens;
