//! How does the server fail when a test wants it to?
//!
//! `POST /podid.dev/forget` makes every watch begin again, `POST /podid.dev/outage?seconds=20` plays a crashed server.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::status::Status;
use super::super::store::Store;
use super::query::Query;

/// Time for the answer to the request that wants an outage.
const NOTICE: Duration = Duration::from_millis(100);
/// The longest outage; nobody could end it earlier.
const LONGEST: Duration = Duration::from_mins(10);

/// What a test may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The history of writes is lost.
    Forget,
    /// No connection is served for a while.
    Outage,
}

/// Until when the server plays dead. Clones are the same outage.
#[derive(Clone)]
pub(super) struct Outage {
    until: watch::Sender<Instant>,
}

// === impl Fault ===

impl Fault {
    /// The fault of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "forget" => Some(Self::Forget),
            "outage" => Some(Self::Outage),
            _ => None,
        }
    }

    /// Makes it happen.
    pub(super) fn happen(self, store: &Store, outage: &Outage, query: &Query) -> Result<(), Status> {
        match self {
            Self::Forget => store.forget(),
            Self::Outage => {
                let seconds = query.get("seconds").and_then(|seconds| seconds.parse().ok());
                let length = seconds.map(Duration::from_secs).filter(|length| *length <= LONGEST);
                let wrong = || Status::bad_request("an outage takes ?seconds=NUMBER, up to 600");
                outage.begin(length.ok_or_else(wrong)?);
            }
        }
        Ok(())
    }
}

// === impl Outage ===

impl Outage {
    /// None for now.
    pub(super) fn new() -> Self {
        Self { until: watch::Sender::new(Instant::now()) }
    }

    /// Whether it lasts.
    pub(super) fn lasts(&self) -> bool {
        *self.until.borrow() > Instant::now()
    }

    /// Returns when one begins.
    pub(super) async fn begun(&self) {
        // The sender is ours, so it is not closed.
        let _ = self.until.subscribe().wait_for(|until| *until > Instant::now()).await;
    }

    fn begin(&self, length: Duration) {
        let until = self.until.clone();
        tokio::spawn(async move {
            tokio::time::sleep(NOTICE).await;
            until.send_replace(Instant::now() + length);
        });
    }
}
