//! A stand-in for NMI: installs the redirect in the node's namespace and keeps it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use podid_nmi::neighbour::Neighbours;
use podid_nmi::redirect::{Error, Options, Redirect, Settings, cleanup};
use podid_runtime::shutdown::Shutdown;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::world::{LISTENER, METADATA, Namespace};

/// The redirect kept by a thread of this process. Dropping it ends the thread, which lets go of the table.
pub(crate) struct Agent {
    end: Option<oneshot::Sender<()>>,
    close: Option<oneshot::Sender<()>>,
    closed: mpsc::Receiver<Result<(), Error>>,
    thread: Option<JoinHandle<()>>,
}

/// Nothing but the redirect.
pub(crate) const SETTINGS: Settings = Settings {
    metadata: METADATA,
    listener: LISTENER,
    options: Options { local_redirect_policy: false, block_wireserver: false, cleanup_original: false },
};

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("runtime")
}

/// Removes the redirect from a node.
pub(crate) fn clean_up(node: &Namespace) -> Result<bool, Error> {
    node.run(|| runtime().block_on(cleanup()))
}

/// Follows the node's neighbours until the end of the process.
pub(crate) fn follow_neighbours(node: &Namespace) -> Neighbours {
    let (tell, told) = mpsc::channel();
    let node = node.clone();
    thread::spawn(move || {
        node.run(|| {
            runtime().block_on(async {
                let (neighbours, follower) = Neighbours::watched().expect("netlink");
                tell.send(neighbours).expect("somebody waits");
                follower.run(Shutdown::new()).await;
            });
        });
    });
    told.recv().expect("the follower starts")
}

// === impl Agent ===

impl Agent {
    /// Installs the redirect as NMI does.
    pub(crate) fn start(node: &Namespace) -> Result<Self, Error> {
        Self::start_with(node, async || Redirect::install(SETTINGS).await)
    }

    /// Installs it as on a kernel that knows no table owners.
    pub(crate) fn start_unowned(node: &Namespace) -> Result<Self, Error> {
        Self::start_with(node, async || Redirect::install_unowned(SETTINGS).await)
    }

    pub(crate) fn start_with(
        node: &Namespace,
        install: impl AsyncFnOnce() -> Result<Redirect, Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let (close, close_asked) = oneshot::channel();
        let (end, end_asked) = oneshot::channel();
        let (installed, outcome) = mpsc::channel();
        let (closed_now, closed) = mpsc::channel();
        let node = node.clone();
        let thread = thread::spawn(move || {
            node.run(|| {
                runtime().block_on(async {
                    let mut redirect = match install().await {
                        Ok(redirect) => redirect,
                        Err(error) => return drop(installed.send(Err(error))),
                    };
                    drop(installed.send(Ok(())));
                    let asked = async { close_asked.await.is_ok() };
                    let mut to_be_closed = false;
                    redirect.keep(async { to_be_closed = asked.await }).await;
                    if to_be_closed {
                        closed_now.send(redirect.close().await).expect("somebody waits");
                        redirect.keep_closed(async { drop(end_asked.await) }).await;
                    }
                });
            });
        });
        outcome.recv().expect("the agent reports")?;
        Ok(Self { end: Some(end), close: Some(close), closed, thread: Some(thread) })
    }

    /// Turns the redirect into silence, as on SIGTERM, and goes on owning it. What becomes of the first attempt.
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        let close = self.close.take().expect("closed once");
        close.send(()).expect("the agent runs");
        self.closed.recv().expect("the agent closes")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.close.take());
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Starts the redirect in a process of its own and waits until it is installed.
pub(crate) fn start_process(node: &Namespace) -> Child {
    let mut process = node
        .run(|| Command::new("/proc/self/exe").arg("--agent").stdout(Stdio::piped()).spawn())
        .expect("a process for the agent");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line, "installed\n");
    process
}

/// What that process does.
pub(crate) fn run_for_ever() -> ExitCode {
    runtime().block_on(async {
        let mut redirect = Redirect::install(SETTINGS).await.expect("installed");
        println!("installed");
        redirect.keep(std::future::pending()).await;
    });
    ExitCode::SUCCESS
}
