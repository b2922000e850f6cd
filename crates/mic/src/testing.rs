//! On which stage does the controller play in tests? An API server and an ARM in memory, in paused time.

mod api;
mod arm;
mod stage;

pub(crate) use api::Api;
pub(crate) use arm::{Effect, FakeArm};
pub(crate) use stage::{Stage, identity_id, pool};
