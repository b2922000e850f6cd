//! How is the kernel told to change links, addresses and routes?

use std::io;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use tokio::time::timeout;

/// The kernel may have to load a module first.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that says one thing at a time.
pub(super) struct Netlink {
    inner: TokioSocket,
    sequence: u32,
}

// === impl Netlink ===

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut inner = TokioSocket::new(NETLINK_ROUTE)?;
        inner.socket_mut().bind_auto()?;
        Ok(Self { inner, sequence: 0 })
    }

    /// Makes something that must not be there yet.
    pub(super) async fn make(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.say(message, NLM_F_CREATE | NLM_F_EXCL).await.map(drop)
    }

    /// Changes or removes something.
    pub(super) async fn change(&mut self, message: RouteNetlinkMessage) -> io::Result<()> {
        self.say(message, 0).await.map(drop)
    }

    /// Asks for one thing.
    pub(super) async fn ask(&mut self, message: RouteNetlinkMessage) -> io::Result<RouteNetlinkMessage> {
        let missing = || io::Error::other("the kernel confirmed a question without answering it");
        self.say(message, 0).await?.ok_or_else(missing)
    }

    async fn say(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        timeout(PATIENCE, self.inner.send_to(&bytes, &SocketAddr::new(0, 0))).await??;
        timeout(PATIENCE, self.answer()).await?
    }

    /// What was answered before the confirmation.
    async fn answer(&mut self) -> io::Result<Option<RouteNetlinkMessage>> {
        let mut answer = None;
        loop {
            let (packet, sender) = self.inner.recv_from_full().await?;
            // Any process may send to a netlink socket; only the kernel has port 0.
            if sender.port_number() != 0 {
                continue;
            }
            let mut rest = packet.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                // Each message starts at a multiple of four.
                let length = usize::try_from(message.header.length).unwrap_or(usize::MAX).max(1);
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(answer),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(message) => answer = Some(message),
                    _ => {}
                }
            }
        }
    }
}
