//! How are lines written so that nobody who writes one waits for a disk or a reader?
//!
//! Writers put whole lines into a bounded buffer; a thread writes what has gathered. When the disk is full, or the
//! reader of a pipe does not read, lines are lost and counted: whoever wrote them is never held up.

mod sink;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::metrics::PlainCounter;
pub use sink::{OpenError, Sink};

/// The most that waits to be written, in bytes; as much again may be on its way.
const LARGEST: usize = 1024 * 1024;
/// How long lines gather before they are written, unless many do.
const GATHER: Duration = Duration::from_millis(10);
/// What is not given back between two writes, in bytes.
const KEPT: usize = 64 * 1024;

/// Takes lines. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct Lines {
    shared: Arc<Shared>,
}

/// The end of the thread that writes.
#[derive(Debug)]
#[must_use = "what has gathered is lost unless it is waited for"]
pub struct Ending {
    shared: Arc<Shared>,
    ended: oneshot::Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    lost: PlainCounter,
}

#[derive(Debug, Default)]
struct State {
    gathered: Vec<u8>,
    lines: u64,
    closed: bool,
}

// === impl Lines ===

impl Lines {
    /// Starts a thread called `name` that writes to `sink`; lines that are lost are counted in `lost`. Fails only when
    /// the system has no room for a thread.
    pub fn start(name: &str, sink: Sink, lost: PlainCounter) -> std::io::Result<(Self, Ending)> {
        let shared = Arc::new(Shared { lost, ..Shared::default() });
        let (tell, ended) = oneshot::channel();
        let work = shared.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            work.write_all(sink);
            // Nobody waits for the end of a process that is cut off.
            let _ = tell.send(());
        })?;
        Ok((Self { shared: shared.clone() }, Ending { shared, ended }))
    }

    /// Writes `line`, which ends with a line break. Never waits; it is lost where too much waits already.
    pub fn write(&self, line: &[u8]) {
        let mut state = self.shared.lock();
        let before = state.gathered.len();
        if state.closed || before + line.len() > LARGEST {
            drop(state);
            self.shared.lost.inc();
            return;
        }
        state.gathered.extend_from_slice(line);
        state.lines += 1;
        let after = state.gathered.len();
        drop(state);
        if before == 0 || (before < LARGEST / 2 && after >= LARGEST / 2) {
            self.shared.changed.notify_one();
        }
    }
}

// === impl Ending ===

impl Ending {
    /// Takes no more lines, and waits for up to `patience` until those that were taken are written.
    pub async fn finish(self, patience: Duration) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        let _ = tokio::time::timeout(patience, self.ended).await;
    }
}

// === impl Shared ===

impl Shared {
    fn write_all(&self, mut sink: Sink) {
        let mut batch = Vec::new();
        while let Some(lines) = self.next(&mut batch) {
            let lost = sink.write(&batch);
            self.lost.inc_by(lost.min(lines));
            batch.clear();
            batch.shrink_to(KEPT);
        }
    }

    /// Exchanges the empty `batch` for what has gathered, and says how many lines it is; none at the end.
    fn next(&self, batch: &mut Vec<u8>) -> Option<u64> {
        let idle = |state: &mut State| state.gathered.is_empty() && !state.closed;
        let few = |state: &mut State| state.gathered.len() < LARGEST / 2 && !state.closed;
        let waiting = self.changed.wait_while(self.lock(), idle);
        let state = waiting.unwrap_or_else(PoisonError::into_inner);
        let gathering = self.changed.wait_timeout_while(state, GATHER, few);
        let mut state = gathering.unwrap_or_else(PoisonError::into_inner).0;
        if state.gathered.is_empty() {
            return None;
        }
        std::mem::swap(&mut state.gathered, batch);
        Some(std::mem::take(&mut state.lines))
    }

    /// Nothing in it is ever left half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
