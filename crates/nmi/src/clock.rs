//! What time is it on the wall?

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time; tests have their own, which moves with tokio's.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// This machine's clock.
pub(crate) fn system() -> WallClock {
    Arc::new(Timestamp::now)
}
