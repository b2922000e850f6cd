//! How is the redirect removed by hand, from a node whose agent runs, ended or was killed?
//!
//! An agent that runs owns its rules, and would put them back. It is asked over an abstract Unix socket, which exists
//! in the node's network namespace only, needs no file system and goes with the process. Only root, and whoever the
//! agent runs as, are heard.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::time::Duration;

use podid_runtime::shutdown::Shutdown;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::redirect;

/// The socket's name in the abstract namespace.
const NAME: &str = "podid-nmi";

/// What is asked, and the answer that means "done". Any other answer is the reason why not.
const QUESTION: &str = "remove the redirect";
const REMOVED: &str = "removed";

/// How long the agent may take: its redirect may have to be installed first.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long somebody may take to ask, and the most that is read.
const ASKING: Duration = Duration::from_secs(2);
const LONGEST: u64 = 1024;

/// The pause after a failed accept.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Who removed the redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaned {
    /// Nobody; there was none.
    Nothing,
    /// This process, after an agent that is gone.
    Leftover,
    /// The agent that runs.
    ByAgent,
}

/// Why the redirect is still there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent said why not. Do what it says.
    #[error("the NMI that runs on this node did not remove the redirect: {0}")]
    Refused(String),
    /// The agent does not answer. Stop it, then try again.
    #[error(
        "the NMI that runs on this node does not answer ({0}); end it, which its kubelet does when its DaemonSet or \
         pod is deleted, and run this again"
    )]
    Mute(io::Error),
    /// No agent could be asked, and this process could not do it, either.
    #[error(transparent)]
    Redirect(#[from] redirect::Error),
}

/// Somebody who wants the redirect to be removed, and waits for the outcome.
pub(crate) type Request = oneshot::Sender<Result<(), String>>;

/// Removes the redirect from this node, so that pods reach the metadata service again.
pub async fn cleanup() -> Result<Cleaned, Error> {
    match connect() {
        Ok(stream) => match timeout(PATIENCE, ask(stream)).await {
            Ok(Ok(answer)) if answer == REMOVED => Ok(Cleaned::ByAgent),
            Ok(Ok(answer)) => Err(Error::Refused(answer)),
            Ok(Err(error)) => Err(Error::Mute(error)),
            Err(late) => Err(Error::Mute(late.into())),
        },
        // Nobody listens: there is no agent, or one without its socket.
        Err(silence) => match redirect::cleanup().await {
            Ok(true) => Ok(Cleaned::Leftover),
            Ok(false) => Ok(Cleaned::Nothing),
            Err(redirect::Error::Held) => Err(Error::Mute(silence)),
            Err(error) => Err(error.into()),
        },
    }
}

fn connect() -> io::Result<UnixStream> {
    let stream = StdStream::connect_addr(&address()?)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

async fn ask(mut stream: UnixStream) -> io::Result<String> {
    stream.write_all(format!("{QUESTION}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    match answer.trim_end() {
        "" => Err(io::ErrorKind::UnexpectedEof.into()),
        answer => Ok(answer.to_owned()),
    }
}

fn address() -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(NAME)
}

/// The agent's end.
pub(crate) struct Attendant {
    listener: UnixListener,
    requests: mpsc::Sender<Request>,
}

// === impl Attendant ===

impl Attendant {
    /// Listens in the network namespace of the calling thread. Fails with [`io::ErrorKind::AddrInUse`] while another
    /// agent lives there.
    pub(crate) fn listen() -> io::Result<(Self, mpsc::Receiver<Request>)> {
        let listener = StdListener::bind_addr(&address()?)?;
        listener.set_nonblocking(true)?;
        let (requests, received) = mpsc::channel(1);
        Ok((Self { listener: UnixListener::from_std(listener)?, requests }, received))
    }

    /// Passes requests on until the shutdown begins, one after the other.
    pub(crate) async fn run(self, end: Shutdown) {
        tokio::select! {
            () = end.begun() => {}
            () = self.attend() => {}
        }
    }

    async fn attend(&self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = self.hear(stream).await {
                        tracing::debug!(%error, "somebody came to the control socket and went");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection at the control socket");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn hear(&self, mut stream: UnixStream) -> io::Result<()> {
        let asker = stream.peer_cred()?;
        // Read in any case: what is unread when a connection closes turns the close into a reset.
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(LONGEST));
        timeout(ASKING, reader.read_line(&mut line)).await??;
        let answer = if !may_ask(asker.uid(), own_user()?) {
            tracing::warn!(
                user = asker.uid(),
                "somebody who is not root asked for the redirect to be removed"
            );
            "only root may ask for that".to_owned()
        } else if line.trim_end() == QUESTION {
            self.pass_on().await
        } else {
            "unknown request".to_owned()
        };
        stream.write_all(format!("{answer}\n").as_bytes()).await
    }

    async fn pass_on(&self) -> String {
        let (tell, told) = oneshot::channel();
        if self.requests.send(tell).await.is_err() {
            return "it is about to end; run this again when it is gone".to_owned();
        }
        match told.await {
            Ok(Ok(())) => REMOVED.to_owned(),
            Ok(Err(reason)) => reason,
            Err(_) => "it is about to end; run this again when it is gone".to_owned(),
        }
    }
}

/// Whether a process of user `asker` is heard by an agent of user `own`.
fn may_ask(asker: u32, own: u32) -> bool {
    asker == 0 || asker == own
}

/// The user that this process runs as: who the other end of a pair of our own is.
fn own_user() -> io::Result<u32> {
    let (one, _other) = UnixStream::pair()?;
    Ok(one.peer_cred()?.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_agents_own_user_are_heard_and_nobody_else() {
        assert!(may_ask(0, 0) && may_ask(0, 1000) && may_ask(1000, 1000));
        assert!(!may_ask(1000, 0) && !may_ask(65534, 1000));
    }
}
