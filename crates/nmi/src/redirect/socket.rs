//! How are questions and transactions carried to netfilter and back?

use std::collections::BTreeSet;
use std::time::Duration;
use std::{io, iter};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::nftables::{GenAttribute, GenMessage, NfTablesMessage};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use tokio::time::timeout;

use super::message::number;

/// The kernel answers within microseconds; a silence this long is a fault.
const PATIENCE: Duration = Duration::from_secs(5);

/// The subsystem that a transaction is for, as its first and last message name it.
const NFTABLES: u16 = 10;

/// The netlink and netfilter headers in front of a message's attributes, in bytes.
const HEADERS: usize = 16 + 4;

/// The first message of a transaction, and its attribute that says which ruleset it was made for.
const BATCH_BEGIN: u8 = 16;
const BATCH_GENERATION: u16 = 1;

/// The messages that end an answer, well or badly.
const ERROR: u16 = 2;
const END: u16 = 3;

/// A netfilter socket for questions and transactions. While it lives, it owns the tables that it made.
pub(super) struct Socket {
    inner: TokioSocket,
    sequence: u32,
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The one object that the message names.
    One,
    /// All objects that fit the message.
    All,
}

// === impl Socket ===

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut inner = TokioSocket::new(NETLINK_NETFILTER)?;
        inner.socket_mut().bind_auto()?;
        Ok(Self { inner, sequence: 0 })
    }

    /// Asks a question and hands each answer to `each`.
    ///
    /// [`io::ErrorKind::Interrupted`] says that the answers changed while they were read: ask again.
    pub(super) async fn ask(
        &mut self,
        question: impl Into<NetfilterMessageInner>,
        ask: Ask,
        mut each: impl FnMut(NetfilterMessage),
    ) -> io::Result<()> {
        let flags = match ask {
            Ask::One => NLM_F_REQUEST | NLM_F_ACK,
            Ask::All => NLM_F_REQUEST | NLM_F_DUMP,
        };
        let mut bytes = Vec::new();
        let sequence = self.write(&mut bytes, NetfilterProtoFamily::IPv4, 0, question, flags);
        self.send(&bytes).await?;
        let mut interrupted = false;
        loop {
            for message in self.receive().await? {
                if message.header.sequence_number != sequence {
                    continue;
                }
                interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
                let code = match message.payload {
                    NetlinkPayload::InnerMessage(answer) => {
                        each(answer);
                        continue;
                    }
                    NetlinkPayload::Error(error) => error.raw_code(),
                    NetlinkPayload::Done(done) => done.code,
                    _ => continue,
                };
                return match code {
                    0 if interrupted => Err(io::ErrorKind::Interrupted.into()),
                    0 => Ok(()),
                    code => Err(io::Error::from_raw_os_error(code.abs())),
                };
            }
        }
    }

    /// Asks for all objects that fit a question and hands each answer to `each` as it came. Answers that are typed
    /// would not do where other programs' rules are read: a crate need not know what they hold.
    pub(super) async fn list(
        &mut self,
        question: impl Into<NetfilterMessageInner>,
        mut each: impl FnMut(&Raw<'_>),
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        self.write(&mut bytes, NetfilterProtoFamily::IPv4, 0, question, flags);
        self.send(&bytes).await?;
        loop {
            let packet = timeout(PATIENCE, receive(&self.inner)).await??;
            for message in split(&packet) {
                let message = message?;
                match message.kind {
                    END => return Ok(()),
                    ERROR => return Err(code(&message)),
                    _ => each(&message),
                }
            }
        }
    }

    /// The number of the ruleset as it is now. Every transaction, whoever makes it, adds one.
    pub(super) async fn generation(&mut self) -> io::Result<u32> {
        let mut generation = 0;
        let question = NfTablesMessage::GetGen(GenMessage { attributes: vec![] });
        self.ask(question, Ask::One, |answer| {
            let NetfilterMessageInner::NfTables(NfTablesMessage::NewGen(answer)) = answer.inner else {
                return;
            };
            for attribute in answer.attributes {
                if let GenAttribute::Id(number) = attribute {
                    generation = number;
                }
            }
        })
        .await?;
        Ok(generation)
    }

    /// Makes all changes at once, or none of them and returns the first reason.
    ///
    /// The changes are refused (`ERESTART`) where the ruleset is no longer of that generation.
    pub(super) async fn commit(&mut self, changes: Vec<NfTablesMessage>, generation: u32) -> io::Result<()> {
        let first = ControlMessage::Other {
            message_type: BATCH_BEGIN,
            attributes: vec![number(BATCH_GENERATION, generation)],
        };
        let mut bytes = Vec::new();
        let opening = self.write(&mut bytes, NetfilterProtoFamily::Unspec, NFTABLES, first, NLM_F_REQUEST);
        let mut unanswered = BTreeSet::new();
        for change in changes {
            let flags = NLM_F_REQUEST | NLM_F_ACK | creation(&change);
            unanswered.insert(self.write(&mut bytes, NetfilterProtoFamily::IPv4, 0, change, flags));
        }
        let end = ControlMessage::BatchEnd;
        self.write(&mut bytes, NetfilterProtoFamily::Unspec, NFTABLES, end, NLM_F_REQUEST);
        self.send(&bytes).await?;

        let mut outcome = Ok(());
        while !unanswered.is_empty() {
            for message in self.receive().await? {
                let NetlinkPayload::Error(answer) = message.payload else { continue };
                let sequence = message.header.sequence_number;
                let ours = sequence == opening || unanswered.remove(&sequence);
                if ours && answer.raw_code() != 0 && outcome.is_ok() {
                    outcome = Err(answer.to_io());
                }
                if sequence == opening {
                    // The batch as a whole was refused; nobody answers for its parts.
                    return outcome;
                }
            }
        }
        outcome
    }

    fn write(
        &mut self,
        bytes: &mut Vec<u8>,
        family: NetfilterProtoFamily,
        resource: u16,
        message: impl Into<NetfilterMessageInner>,
        flags: u16,
    ) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let header = NetfilterHeader::new(family, 0, resource);
        let mut message = NetlinkMessage::from(NetfilterMessage::new(header, message));
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let start = bytes.len();
        // Each message starts at a multiple of four.
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
        self.sequence
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let kernel = SocketAddr::new(0, 0);
        timeout(PATIENCE, self.inner.send_to(bytes, &kernel)).await??;
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<Vec<NetlinkMessage<NetfilterMessage>>> {
        let packet = timeout(PATIENCE, receive(&self.inner)).await??;
        let understand = |message: Raw<'_>| {
            NetlinkMessage::deserialize(message.whole)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        split(&packet).map(|message| message.and_then(understand)).collect()
    }
}

/// One message of a packet, not yet understood.
pub(super) struct Raw<'a> {
    /// The subsystem in the upper half, the message type in the lower.
    pub(super) kind: u16,
    /// What follows the two headers.
    pub(super) attributes: &'a [u8],
    whole: &'a [u8],
}

/// Waits for the next packet from the kernel.
pub(super) async fn receive(socket: &TokioSocket) -> io::Result<Vec<u8>> {
    loop {
        let (bytes, sender) = socket.recv_from_full().await?;
        // Any process may send to a netlink socket; only the kernel has port 0.
        if sender.port_number() == 0 {
            return Ok(bytes);
        }
    }
}

/// Takes the messages out of a packet; an unreadable one is the last.
pub(super) fn split(mut packet: &[u8]) -> impl Iterator<Item = io::Result<Raw<'_>>> {
    iter::from_fn(move || {
        if packet.is_empty() {
            return None;
        }
        let message = NetlinkBuffer::new_checked(packet).ok().and_then(|message| {
            let length = usize::try_from(message.length()).ok()?;
            let whole = packet.get(..length)?;
            let attributes = whole.get(HEADERS..).unwrap_or_default();
            Some(Raw { kind: message.message_type(), attributes, whole })
        });
        let Some(message) = message else {
            packet = &[];
            return Some(Err(io::ErrorKind::InvalidData.into()));
        };
        // Each message starts at a multiple of four.
        packet = packet.get(message.whole.len().next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(message))
    })
}

/// The reason in an error message: a negative number in front of the message that it answers.
fn code(message: &Raw<'_>) -> io::Error {
    let code = message.whole.get(16..20).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
    io::Error::from_raw_os_error(code.unwrap_or_default().abs())
}

/// What a change needs so that it creates, and a rule so that it comes last.
fn creation(change: &NfTablesMessage) -> u16 {
    match change {
        NfTablesMessage::NewTable(_) | NfTablesMessage::NewChain(_) => NLM_F_CREATE,
        NfTablesMessage::NewRule(_) => NLM_F_CREATE | NLM_F_APPEND,
        _ => 0,
    }
}
