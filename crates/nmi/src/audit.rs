//! Where do those look who must prove who got which identity?
//!
//! One line of JSON for each request that is about an identity, in a stream of its own: the log is for people and may
//! be thinned out. Nobody waits for it: what cannot be written is lost and counted (`podid_runtime::lines`).

mod entry;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use podid_runtime::lines::{Ending, Lines, OpenError, Sink};
use podid_runtime::metrics::PlainCounter;

pub(crate) use entry::{Entry, Given, Pod, Shown};

/// How long the last lines may take to be written at the end.
const LAST: Duration = Duration::from_secs(2);

/// Where the stream goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AuditLog {
    /// Nowhere.
    #[default]
    Off,
    /// To standard output.
    Stdout,
    /// To the end of a file.
    File(PathBuf),
}

/// The audit stream. Clones write to the same.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    open: Option<Arc<Open>>,
}

/// The end of the stream.
#[derive(Debug, Default)]
pub struct AuditEnd(Option<Ending>);

/// No stream.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no such place.
    #[error("--audit-log: {0}")]
    Open(#[from] OpenError),
    /// The system has no room for the thread that writes.
    #[error("--audit-log: cannot start a thread: {0}")]
    Thread(std::io::Error),
}

#[derive(Debug)]
struct Open {
    lines: Lines,
    /// Tells this process's requests from those of others.
    process: u32,
    requests: AtomicU64,
}

// === impl Audit ===

impl Audit {
    /// The stream to `place`; lines that are lost are counted in `lost`.
    pub fn start(place: &AuditLog, lost: PlainCounter) -> Result<(Self, AuditEnd), AuditError> {
        let sink = match place {
            AuditLog::Off => return Ok((Self::default(), AuditEnd::default())),
            AuditLog::Stdout => Sink::stdout()?,
            AuditLog::File(path) => Sink::file(path.clone())?,
        };
        let (lines, ending) = Lines::start("audit", sink, lost).map_err(AuditError::Thread)?;
        // Any two agents of a node differ in it, and it is short.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "any bits will do")]
        let process = Timestamp::now().as_millisecond() as u32;
        let open = Open { lines, process, requests: AtomicU64::new(0) };
        Ok((Self { open: Some(Arc::new(open)) }, AuditEnd(Some(ending))))
    }

    /// Writes what `entry` makes of the number of the request, if anybody reads it.
    pub(crate) fn write<'a>(&self, entry: impl FnOnce(RequestId) -> Entry<'a>) {
        let Some(open) = &self.open else { return };
        let number = open.requests.fetch_add(1, Ordering::Relaxed);
        let mut line = Vec::with_capacity(1024);
        // Texts and numbers always serialize.
        if serde_json::to_writer(&mut line, &entry(RequestId { process: open.process, number })).is_ok() {
            line.push(b'\n');
            open.lines.write(&line);
        }
    }
}

/// Names one request of one agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId {
    process: u32,
    number: u64,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{:x}", self.process, self.number)
    }
}

// === impl AuditEnd ===

impl AuditEnd {
    /// Waits until the last line is written, but not for long.
    pub async fn finish(self) {
        if let Some(ending) = self.0 {
            ending.finish(LAST).await;
        }
    }
}
