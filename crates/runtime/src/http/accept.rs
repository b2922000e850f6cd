//! Who comes next, and what if the system has no room for anybody?

use std::io;
use std::time::Duration;

use tokio::time::sleep;

/// The pause after a failed accept, which is mostly a lack of file descriptors: the connection waits in the kernel, so
/// trying again at once would only burn the processor.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections off a listener.
#[derive(Debug)]
pub(super) struct Door {
    name: &'static str,
    stuck: bool,
}

// === impl Door ===

impl Door {
    /// The door of the server `name`.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, stuck: false }
    }

    /// The next one that `accept` gives. Says once when there cannot be one, and once when there can be again.
    pub(super) async fn next<T, F: Future<Output = io::Result<T>>>(&mut self, accept: impl Fn() -> F) -> T {
        loop {
            match accept().await {
                Ok(connection) => {
                    if std::mem::take(&mut self.stuck) {
                        tracing::info!(server = self.name, "connections are accepted again");
                    }
                    return connection;
                }
                // That one has gone already; the next one may be there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.stuck, true) {
                        tracing::error!(
                            server = self.name, %error,
                            "connections cannot be accepted and wait; trying again until they can"
                        );
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    use tokio::time::Instant;

    /// What accept says when the process has no descriptor left.
    fn exhausted() -> io::Error {
        io::Error::from_raw_os_error(nix::errno::Errno::EMFILE as i32)
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_it_waits_between_two_tries_and_goes_on_when_there_are_some() {
        let (begun, tries) = (Instant::now(), Cell::new(0));
        let mut door = Door::new("test");
        let accept = || {
            tries.set(tries.get() + 1);
            let lack = begun.elapsed() < Duration::from_mins(1);
            async move { if lack { Err(exhausted()) } else { Ok("connection") } }
        };
        assert_eq!(door.next(accept).await, "connection");
        assert_eq!(tries.get(), 1 + 60 * 10);
        assert!(!door.stuck);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_gone_before_it_was_accepted_costs_no_pause() {
        let (begun, gone) = (Instant::now(), Cell::new(3));
        let mut door = Door::new("test");
        let accept = || {
            let left = gone.replace(gone.get() - 1);
            async move { if left > 0 { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) } }
        };
        door.next(accept).await;
        assert!(begun.elapsed().is_zero());
    }
}
