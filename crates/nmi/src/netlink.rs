//! How is the kernel asked about links, addresses, routes and neighbours, and told to change them?

use std::io;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use tokio::time::timeout;

/// The kernel may have to load a module first.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that says one thing at a time.
pub(crate) struct Netlink {
    inner: TokioSocket,
    sequence: u32,
}

/// What ends an answer.
#[derive(Clone, Copy)]
enum Until {
    Confirmed,
    Done,
}

// === impl Netlink ===

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let mut inner = TokioSocket::new(NETLINK_ROUTE)?;
        inner.socket_mut().bind_auto()?;
        Ok(Self { inner, sequence: 0 })
    }

    /// The same, for questions that name what they are about: without this the kernel would pass over parts
    /// of them and answer with everything.
    pub(crate) fn open_strict() -> io::Result<Self> {
        let netlink = Self::open()?;
        netlink.inner.socket_ref().set_netlink_get_strict_chk(true)?;
        Ok(netlink)
    }

    /// Makes something that must not be there yet.
    pub(crate) async fn make(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.say(message, NLM_F_CREATE | NLM_F_EXCL).await.map(drop)
    }

    /// Changes or removes something.
    pub(crate) async fn change(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.say(message, 0).await.map(drop)
    }

    /// Asks for one thing.
    pub(crate) async fn ask(&mut self, message: RouteNetlinkMessage) -> io::Result<RouteNetlinkMessage> {
        let missing = || io::Error::other("the kernel confirmed a question without answering it");
        self.say(message, 0).await?.ok_or_else(missing)
    }

    /// Asks for all that there is. [`io::ErrorKind::Interrupted`] says that it changed while it was read. What
    /// cannot be read is left out.
    pub(crate) async fn all(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_DUMP).await?;
        timeout(PATIENCE, self.answers(Until::Done)).await?
    }

    async fn say(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Option<RouteNetlinkMessage>> {
        self.send(message, NLM_F_ACK | flags).await?;
        Ok(timeout(PATIENCE, self.answers(Until::Confirmed)).await??.pop())
    }

    async fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        timeout(PATIENCE, self.inner.send_to(&bytes, &SocketAddr::new(0, 0))).await??;
        Ok(())
    }

    /// What was answered before the end.
    async fn answers(&mut self, until: Until) -> io::Result<Vec<RouteNetlinkMessage>> {
        let (mut answers, mut interrupted) = (vec![], false);
        loop {
            let (packet, sender) = self.inner.recv_from_full().await?;
            // Any process may send to a netlink socket; only the kernel has port 0.
            if sender.port_number() != 0 {
                continue;
            }
            let mut rest = packet.as_slice();
            while !rest.is_empty() {
                let head = NetlinkBuffer::new_checked(rest).map_err(unreadable)?;
                let length = usize::try_from(head.length()).unwrap_or(usize::MAX).max(1);
                let (current, flags) = (head.sequence_number() == self.sequence, head.flags());
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest);
                // Each message starts at a multiple of four.
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                if !current {
                    continue;
                }
                interrupted |= flags & NLM_F_DUMP_INTR != 0;
                let payload = match (message, until) {
                    (Ok(message), _) => message.payload,
                    (Err(_), Until::Done) => continue,
                    (Err(error), Until::Confirmed) => return Err(unreadable(error)),
                };
                match payload {
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answers),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) if interrupted => return Err(io::ErrorKind::Interrupted.into()),
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(io::Error::from_raw_os_error(-done.code));
                    }
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::InnerMessage(message) => answers.push(message),
                    _ => {}
                }
            }
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an answer of the kernel cannot be read: {error}"))
}
