//! How do connections get from inside the lab, which has a network of its own, to an API server outside?
//!
//! A child of the supervisor stays in the host's network. It takes connections on a Unix socket in the lab's
//! directory and joins each with one to the API server; bytes pass unread, so TLS is between those who speak.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::given::Given;
use crate::home::Home;

/// The socket's name in the lab's directory.
const SOCKET: &str = "api.sock";
/// How long the lab may go on using the relay after the supervisor was killed, to clean up.
const FAREWELL: Duration = Duration::from_secs(30);
/// Pause after a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// The relay, until it is dropped.
pub(crate) struct Relay {
    process: Child,
}

// === impl Relay ===

impl Relay {
    /// Starts it. Must be called while this process is still in the host's network.
    pub(crate) fn start(home: &Home, given: &Given) -> anyhow::Result<Self> {
        let listener = StdUnixListener::bind(home.file(SOCKET))
            .context("cannot make a socket in the lab's directory; set TMPDIR to a shorter path")?;
        let (host, port) = given.host();
        let parent = std::process::id().to_string();
        let process = Command::new("/proc/self/exe")
            .arg0("podid")
            .args(["lab", "relay", &host, &port.to_string(), &parent])
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            // Ctrl-C is for the supervisor; the lab still needs the relay to clean up.
            .process_group(0)
            .spawn()
            .context("cannot start the relay to the API server")?;
        Ok(Self { process })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The relay itself: joins connections on the Unix socket that is its standard input with `host`, until the
/// supervisor ends it.
pub(crate) fn serve(host: &str, port: u16, parent: u32) -> anyhow::Result<ExitCode> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).context("cannot follow the supervisor's end")?;
    let listener = StdUnixListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut told = signal(SignalKind::terminate())?;
        let orphaned = i32::try_from(parent).is_ok_and(|parent| getppid() != Pid::from_raw(parent));
        let listener = UnixListener::from_std(listener)?;
        let (open, ended) = (TaskTracker::new(), CancellationToken::new());
        let end = async {
            if !orphaned {
                told.recv().await;
            }
            // The lab inside holds its watches open until it has cleaned up.
            open.close();
            let _ = tokio::time::timeout(FAREWELL, open.wait()).await;
            ended.cancel();
        };
        tokio::join!(end, accept(&listener, host, port, &open, &ended));
        Ok(ExitCode::SUCCESS)
    })
}

async fn accept(
    listener: &UnixListener,
    host: &str,
    port: u16,
    open: &TaskTracker,
    ended: &CancellationToken,
) {
    while let Some(accepted) = ended.run_until_cancelled(listener.accept()).await {
        let Ok((inside, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let host = host.to_owned();
        open.spawn(async move {
            if let Ok(outside) = TcpStream::connect((host, port)).await {
                let _ = outside.set_nodelay(true);
                join(inside, outside).await;
            }
        });
    }
}

/// The end inside: takes connections where pods and nodes expect the API server, until `ended`.
pub(crate) async fn forward(home: Home, listener: TcpListener, ended: CancellationToken) {
    while let Some(accepted) = ended.run_until_cancelled(listener.accept()).await {
        let Ok((near, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let _ = near.set_nodelay(true);
        let (socket, ended) = (home.file(SOCKET), ended.clone());
        tokio::spawn(ended.run_until_cancelled_owned(async move {
            if let Ok(far) = UnixStream::connect(socket).await {
                join(near, far).await;
            }
        }));
    }
}

async fn join(mut one: impl AsyncRead + AsyncWrite + Unpin, mut other: impl AsyncRead + AsyncWrite + Unpin) {
    // Either end may go away at any time; the other one then sees it.
    let _ = copy_bidirectional(&mut one, &mut other).await;
}
