//! Does a connection that comes into this node from outside, for the metadata service, meet this agent?
//!
//! Asked over a link of its own (`road`), with a question that only this process can answer (`secret`). It shows
//! that the rules are where packets pass, that nobody else's rules come first, and that the answer finds its way
//! back. It does not show that packets of pods pass there: a data plane may lead them past the kernel's rules
//! (decision 11).

mod road;
mod secret;

use std::io;
use std::net::{IpAddr, SocketAddrV4, TcpStream as StdStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use road::{CALLER, Road};
pub use secret::Secret;

/// How long a connection is waited for; the first retransmission comes after a second.
const CONNECT: Duration = Duration::from_secs(4);

/// How long its answer is waited for.
const ANSWER: Duration = Duration::from_secs(5);

/// The most that is read of an answer, in bytes.
const LONGEST: u64 = 4096;

/// What a test found.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Pods do not meet this agent. Not ready, until a later test says otherwise.
    #[error(
        "connections to {metadata} that come in over a link do not reach this agent: {symptom}. Somebody else's \
         rules come first or drop them (`nft list ruleset`, `iptables-save`, `tc filter show`); \
         docs/how-to/other-networks.md says what to do"
    )]
    Broken {
        /// Where they went to.
        metadata: SocketAddrV4,
        /// How it showed.
        symptom: Symptom,
    },
    /// Nobody knows: this kernel or the rights of this process do not allow the test.
    #[error("cannot test whether connections of pods reach this agent: {0}")]
    Untested(#[source] io::Error),
}

/// What a caller meets instead of this agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Symptom {
    /// Nothing at all.
    #[error("they meet silence")]
    Silence,
    /// A refusal, a reset, or a message that there is no way.
    #[error("they are refused ({0})")]
    Refused(io::ErrorKind),
    /// Somebody who does not know what only this process knows.
    #[error("somebody else answers them")]
    Stranger,
}

/// Asks once. Everything that is made for it on the node is removed again; let it finish.
pub async fn run(metadata: SocketAddrV4, secret: &Secret) -> Result<(), Fault> {
    let mut road = Road::new().map_err(Fault::Untested)?;
    let outcome = match road.open(*metadata.ip()).await {
        Ok(()) => ask(metadata, secret).await,
        Err(error) => Err(Fault::Untested(error)),
    };
    if let Err(error) = road.close().await {
        tracing::warn!(%error, "what the test of the redirect made on the node could not be removed");
    }
    outcome
}

async fn ask(metadata: SocketAddrV4, secret: &Secret) -> Result<(), Fault> {
    let socket = caller().map_err(Fault::Untested)?;
    let broken = |symptom| Fault::Broken { metadata, symptom };
    let mut stream = match timeout(CONNECT, socket.connect(metadata.into())).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() != io::ErrorKind::TimedOut => {
            return Err(broken(Symptom::Refused(error.kind())));
        }
        _ => return Err(broken(Symptom::Silence)),
    };
    let mut answer = vec![];
    let talk = async {
        stream.write_all(secret.question(metadata).as_bytes()).await?;
        (&mut stream).take(LONGEST).read_to_end(&mut answer).await
    };
    match timeout(ANSWER, talk).await {
        Ok(Ok(_)) if secret.is_answered_by(&answer) => Ok(()),
        Ok(Ok(_)) => Err(broken(Symptom::Stranger)),
        Ok(Err(error)) => Err(broken(Symptom::Refused(error.kind()))),
        Err(_) => Err(broken(Symptom::Silence)),
    }
}

/// A socket that speaks as the caller, whose address is none of this node's.
fn caller() -> io::Result<TcpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_ip_transparent_v4(true)?;
    socket.bind(&SocketAddrV4::new(CALLER, 0).into())?;
    Ok(TcpSocket::from_std_stream(StdStream::from(socket)))
}

/// Whether a request that came from `peer` is one of these tests.
fn is_caller(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(peer) => peer == CALLER,
        IpAddr::V6(peer) => peer.to_ipv4_mapped() == Some(CALLER),
    }
}
