//! What did a container print? Its last lines, in memory only, since a program may print a token.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

/// Lines kept of each container.
const KEPT: usize = 10_000;

/// One line, without its line end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When it was read.
    pub at: Timestamp,
    /// What it says.
    pub text: Bytes,
}

/// The log of one container: written by the kubelet, read by any number of followers.
#[derive(Clone, Debug)]
pub(super) struct Log {
    lines: Arc<Mutex<Lines>>,
    /// Number of lines ever written, and whether more can come.
    grown: watch::Sender<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    dropped: u64,
}

/// The logs of all containers. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logs {
    by_container: Arc<Mutex<HashMap<Key, Log>>>,
}

/// Namespace, pod and container.
type Key = (String, String, String);

// === impl Log ===

impl Log {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self { lines: Arc::default(), grown: watch::Sender::new((0, true)) }
    }

    /// Adds a line.
    pub(super) fn push(&self, text: Bytes) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.kept.len() == KEPT {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back(Line { at: Timestamp::now(), text });
        drop(lines);
        self.grown.send_modify(|(count, _)| *count += 1);
    }

    /// Says that no line will come any more.
    pub(super) fn close(&self) {
        self.grown.send_modify(|(_, open)| *open = false);
    }

    /// Says that lines may come again: the container restarted.
    pub(super) fn reopen(&self) {
        self.grown.send_modify(|(_, open)| *open = true);
    }

    /// Number of lines ever written.
    pub(super) fn written(&self) -> u64 {
        self.grown.borrow().0
    }

    /// The kept lines from number `from` on, and the number of the next one.
    pub(super) fn since(&self, from: u64) -> (Vec<Line>, u64) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from(from.saturating_sub(lines.dropped)).unwrap_or(usize::MAX);
        let next = lines.dropped + lines.kept.len() as u64;
        (lines.kept.iter().skip(skip).cloned().collect(), next)
    }

    /// Waits for line number `from`; false when none will come any more.
    pub(super) async fn wait(&self, from: u64) -> bool {
        let mut grown = self.grown.subscribe();
        let reached =
            grown.wait_for(|(count, open)| *count > from || !open).await.map(|state| state.0 > from);
        reached.unwrap_or(false)
    }
}

// === impl Logs ===

impl Logs {
    /// The log of a container, new if it has none yet.
    pub(super) fn open(&self, namespace: &str, pod: &str, container: &str) -> Log {
        self.locked().entry((namespace.into(), pod.into(), container.into())).or_default().clone()
    }

    /// The log of a container that runs or ran.
    pub(super) fn find(&self, namespace: &str, pod: &str, container: &str) -> Option<Log> {
        self.locked().get(&(namespace.to_owned(), pod.to_owned(), container.to_owned())).cloned()
    }

    /// Forgets what the containers of a pod printed.
    pub(super) fn forget(&self, namespace: &str, pod: &str) {
        self.locked().retain(|(of_namespace, of_pod, _), _| of_namespace != namespace || of_pod != pod);
    }

    /// The last `count` lines of each container in `namespace`, each with the name of its pod.
    pub(crate) fn last_lines(&self, namespace: &str, count: u64) -> Vec<String> {
        let logs = self.locked();
        let of_namespace = logs.iter().filter(|((of, _, _), _)| of == namespace);
        of_namespace
            .flat_map(|((_, pod, _), log)| {
                let (lines, _) = log.since(log.written().saturating_sub(count));
                lines.into_iter().map(move |line| format!("{pod}: {}", String::from_utf8_lossy(&line.text)))
            })
            .collect()
    }

    // Every write leaves it whole, so a poisoned lock is still good.
    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Log>> {
        self.by_container.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_gets_each_line_once_and_then_the_end() {
        let log = Log::new();
        log.push("one".into());
        let (first, next) = log.since(0);
        assert_eq!((first.len(), next), (1, 1));
        let writer = log.clone();
        let task = tokio::spawn(async move { writer.push("two".into()) });
        assert!(log.wait(next).await);
        task.await.unwrap();
        let (second, next) = log.since(next);
        assert_eq!(second[0].text, "two");
        log.close();
        assert!(!log.wait(next).await);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let log = Log::new();
        for number in 0..=KEPT {
            log.push(number.to_string().into());
        }
        let (lines, next) = log.since(0);
        assert_eq!((lines.len(), &lines[0].text[..], next), (KEPT, &b"1"[..], KEPT as u64 + 1));
    }
}
