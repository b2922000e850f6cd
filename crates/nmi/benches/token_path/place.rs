//! Where does a server of the bench run, and how much CPU time has it used?

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc as answers;
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::Dispatch;

/// A server on a thread of its own.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    questions: mpsc::UnboundedSender<answers::Sender<Duration>>,
}

// === impl Place ===

impl Place {
    /// Runs `serve` on a new thread; what it logs goes to `log`.
    pub(crate) fn start<F, S>(log: Dispatch, serve: S) -> Self
    where
        S: FnOnce(TcpListener) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let (tell, told) = answers::channel();
        let (questions, mut asked) = mpsc::unbounded_channel::<answers::Sender<Duration>>();
        thread::spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::spawn(async move {
                    while let Some(answer) = asked.recv().await {
                        let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
                        answer.send(Duration::from(used)).unwrap();
                    }
                });
                serve(listener).await;
            });
        });
        Self { address: told.recv().unwrap(), questions }
    }

    /// The CPU time of the thread so far.
    pub(crate) fn cpu(&self) -> Duration {
        let (answer, answered) = answers::channel();
        self.questions.send(answer).unwrap();
        answered.recv().unwrap()
    }
}
