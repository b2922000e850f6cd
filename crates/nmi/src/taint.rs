//! When does the startup taint go?
//!
//! A node can be made with a taint that keeps pods away until the agent can answer them. It goes when
//! the agent is ready, and only then; what fails is tried again for as long as it takes, because a node
//! that keeps the taint is of no use to anybody.

use std::future::Future;
use std::time::Duration;

use podid_kube::call::CallError;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The pauses between attempts grow from the first to the second.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Calls `remove`, which takes the taint `key` off the node, once `ready` says so and until it succeeds.
/// If `ready` is dropped, the agent ends without having been ready.
pub(crate) async fn lift<F>(key: &str, ready: oneshot::Receiver<()>, mut remove: impl FnMut() -> F)
where
    F: Future<Output = Result<bool, CallError>>,
{
    if ready.await.is_err() {
        return;
    }
    let mut pause = PAUSE;
    loop {
        match remove().await {
            Ok(true) => return tracing::info!(taint = key, "this node is ready: startup taint removed"),
            Ok(false) => return tracing::debug!(taint = key, "this node has no startup taint"),
            Err(error @ CallError::Conflict { .. }) => {
                tracing::debug!(%error, "cannot remove the startup taint yet, trying again");
            }
            Err(error) => {
                tracing::error!(%error, taint = key, "cannot remove the startup taint, trying again");
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn conflict() -> Result<bool, CallError> {
        Err(CallError::Conflict { what: "patch".to_owned() })
    }

    /// W-10.
    #[tokio::test(start_paused = true)]
    async fn the_taint_stays_until_the_agent_is_ready_and_goes_after_however_many_attempts() {
        let attempts = RefCell::new(0);
        let (ready, told) = oneshot::channel();
        let lifting = lift("k", told, || {
            *attempts.borrow_mut() += 1;
            let outcome = if *attempts.borrow() < 20 { conflict() } else { Ok(true) };
            std::future::ready(outcome)
        });
        let later = async {
            sleep(Duration::from_mins(5)).await;
            assert_eq!(*attempts.borrow(), 0);
            let _ = ready.send(());
        };
        tokio::join!(lifting, later);
        assert_eq!(*attempts.borrow(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_ends_before_it_is_ready_leaves_the_taint() {
        let (ready, told) = oneshot::channel();
        drop(ready);
        lift("k", told, || async { unreachable!("never ready") }).await;
    }
}
