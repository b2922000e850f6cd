//! The agent between a fake cluster and a fake IMDS, on a paused clock.

mod audit;
mod callers;
mod counts;
mod entra;
mod errors;
mod holds;
mod order;
mod outage;
mod pace;
mod pass_through;
mod requests;
mod sdk;
mod stage;
mod tokens;
mod trail;
mod wire;
