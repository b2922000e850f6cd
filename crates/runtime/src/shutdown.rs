//! When does this process stop, and who is told?
//!
//! The first SIGTERM or SIGINT begins the shutdown: everyone who holds a [`Shutdown`] sees it, finishes what is
//! in hand and returns. A second signal is an order: the process exits at once with status 130.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit status after a second signal: 128 + SIGINT, what shells report for an interrupted program.
const INTERRUPTED: i32 = 130;

/// A switch that is turned once and seen by every clone.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Shutdown {
    token: CancellationToken,
}

/// The two signals that ask a process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

// === impl Shutdown ===

impl Shutdown {
    /// A shutdown that begins when [`begin`](Self::begin) is called.
    pub fn new() -> Self {
        Self::default()
    }

    /// A shutdown that SIGTERM and SIGINT begin; the second of them ends the process at once.
    ///
    /// Must be called within a tokio runtime. Fails only when the kernel refuses a signal handler.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::listen()?;
        let begin = shutdown.clone();
        // Outside of any task tracker on purpose: it must outlive the drain to hear the second signal.
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "shutting down; a second signal exits at once");
            begin.begin();
            let name = signals.next().await;
            tracing::warn!(signal = name, "second signal, exiting at once");
            std::process::exit(INTERRUPTED);
        });
        Ok(shutdown)
    }

    /// Begins the shutdown. Calling it again changes nothing.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Completes when the shutdown has begun.
    pub async fn begun(&self) {
        self.token.cancelled().await;
    }

    /// Whether the shutdown has begun.
    pub fn is_begun(&self) -> bool {
        self.token.is_cancelled()
    }
}

// === impl Signals ===

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_it_begin() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.begun().await }
        });
        assert!(!shutdown.is_begun());
        shutdown.clone().begin();
        waiting.await.unwrap();
        assert!(shutdown.is_begun());
    }

    #[tokio::test]
    async fn one_who_asks_late_is_told_at_once() {
        let shutdown = Shutdown::new();
        shutdown.begin();
        shutdown.begin();
        shutdown.begun().await;
    }
}
