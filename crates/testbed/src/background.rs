//! How do blocking functions use an asynchronous client, also where the caller is asynchronous?

use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use crate::error::StartError;

/// A runtime on threads of its own. A caller waits on a channel, so that it may be a task of another runtime.
#[derive(Debug)]
pub(crate) struct Background(Option<Runtime>);

// === impl Background ===

impl Background {
    pub(crate) fn new(threads: &'static str) -> Result<Self, StartError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name(threads).enable_all().build();
        runtime
            .map(|runtime| Self(Some(runtime)))
            .map_err(|error| StartError::Unusable { what: "a client", problem: error.to_string() })
    }

    /// The result of `work`, or nothing if it panicked.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = mpsc::channel();
        self.0.as_ref()?.spawn(async move {
            let _ = tell.send(work.await);
        });
        told.recv().ok()
    }

    /// Does `work` until this is dropped.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed where the caller is asynchronous.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
