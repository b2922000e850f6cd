//! Who changed our table?

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io;

use netlink_packet_core::{NlaBuffer, NlasIterator, parse_string, parse_u32_be};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket, TokioSocket};

use super::ruleset::TABLE;
use super::socket::{Raw, receive, split};

/// The multicast group that hears of every change of rules.
const GROUP: u32 = 7;

/// The type of the message that ends a transaction: subsystem nftables, `NFT_MSG_NEWGEN`.
const NEW_GENERATION: u16 = 10 << 8 | 15;

/// The attribute that names the table, in every other message.
const TABLE_NAME: u16 = 1;

/// The attributes of the message that ends a transaction.
const GENERATION: u16 = 1;
const PROCESS_ID: u16 = 2;
const PROCESS_NAME: u16 = 3;

/// ENOBUFS: more happened than the socket could hold.
const ENOBUFS: i32 = 105;

/// A second socket, which only listens.
pub(super) struct Watch {
    socket: TokioSocket,
    heard: Heard,
}

/// Something that may have harmed our table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// A transaction touched it.
    Touched { generation: Option<u32>, author: Author },
    /// Notices were lost or could not be read; nobody knows.
    Unknown,
}

/// The process that made a transaction, by its number in the host's process namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Author {
    name: Option<String>,
    pid: Option<u32>,
}

/// What was heard of the transaction that is still being told, and the notices not yet fetched.
#[derive(Default)]
struct Heard {
    touched: bool,
    notices: VecDeque<Notice>,
}

// === impl Watch ===

impl Watch {
    /// Listens in the network namespace of the calling thread. Open it before the table is written.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
        socket.socket_mut().bind_auto()?;
        socket.socket_ref().add_membership(GROUP)?;
        Ok(Self { socket, heard: Heard::default() })
    }

    /// Waits for the next notice. Nothing is lost when the waiting is given up.
    pub(super) async fn next(&mut self) -> io::Result<Notice> {
        loop {
            if let Some(notice) = self.heard.notices.pop_front() {
                return Ok(notice);
            }
            match receive(&self.socket).await {
                Ok(bytes) => self.heard.note(&bytes),
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => return Ok(Notice::Unknown),
                Err(error) => return Err(error),
            }
        }
    }
}

// === impl Heard ===

impl Heard {
    /// Takes note of what one packet tells. A transaction is told as its changes, one by one, and a last message
    /// that says who made it.
    ///
    /// Only what is needed is read: other programs' rules may hold anything.
    fn note(&mut self, packet: &[u8]) {
        for message in split(packet) {
            match message {
                Ok(message) if message.kind == NEW_GENERATION => {
                    if std::mem::take(&mut self.touched) {
                        self.notices.push_back(ending(&message));
                    }
                }
                Ok(message) => {
                    self.touched |= attribute(&message, TABLE_NAME, text).is_none_or(|name| name == TABLE);
                }
                Err(_) => self.notices.push_back(Notice::Unknown),
            }
        }
    }
}

fn ending(message: &Raw<'_>) -> Notice {
    let number = |nla: &NlaBuffer<&[u8]>| parse_u32_be(nla.value()).ok();
    Notice::Touched {
        generation: attribute(message, GENERATION, number),
        author: Author {
            name: attribute(message, PROCESS_NAME, text),
            pid: attribute(message, PROCESS_ID, number),
        },
    }
}

/// The first attribute of a kind, if it is there and can be read.
fn attribute<T>(message: &Raw<'_>, kind: u16, read: impl Fn(&NlaBuffer<&[u8]>) -> Option<T>) -> Option<T> {
    NlasIterator::new(message.attributes)
        .map_while(Result::ok)
        .find(|nla| nla.kind() == kind)
        .and_then(|nla| read(&nla))
}

fn text(nla: &NlaBuffer<&[u8]>) -> Option<String> {
    parse_string(nla.value()).ok()
}

// === impl Author ===

impl Display for Author {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.name, self.pid) {
            (Some(name), Some(pid)) => write!(f, "{name} (process {pid} of the host)"),
            _ => write!(f, "an unknown process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NetlinkMessage;
    use netlink_packet_netfilter::nftables::{
        GenAttribute, GenMessage, NfTablesMessage, SetElementList, SetElementMessage, TableAttribute,
        TableMessage,
    };
    use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

    use super::*;

    fn told(changes: Vec<NfTablesMessage>) -> Vec<Notice> {
        let mut packet = vec![];
        for change in changes {
            let header = NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0);
            let mut message = NetlinkMessage::from(NetfilterMessage::new(header, change));
            message.finalize();
            let start = packet.len();
            packet.resize(start + message.buffer_len().next_multiple_of(4), 0);
            message.serialize(&mut packet[start..]);
        }
        let mut heard = Heard::default();
        heard.note(&packet);
        heard.notices.into()
    }

    fn removal(table: &str) -> NfTablesMessage {
        NfTablesMessage::DeleteTable(TableMessage { attributes: vec![TableAttribute::Name(table.into())] })
    }

    fn end(generation: u32) -> NfTablesMessage {
        NfTablesMessage::NewGen(GenMessage {
            attributes: vec![
                GenAttribute::Id(generation),
                GenAttribute::ProcPid(77),
                GenAttribute::ProcName("nft".into()),
            ],
        })
    }

    #[test]
    fn names_who_touched_our_table() {
        let notices = told(vec![removal("filter"), removal(TABLE), end(5)]);
        let [Notice::Touched { generation: Some(5), author }] = notices.as_slice() else {
            panic!("one notice expected, got {notices:?}");
        };
        assert_eq!(author.to_string(), "nft (process 77 of the host)");
    }

    #[test]
    fn is_silent_about_other_tables() {
        let element = NfTablesMessage::NewSetElement(SetElementMessage {
            attributes: vec![SetElementList::Table("kube-proxy".into()), SetElementList::Set(TABLE.into())],
        });
        assert_eq!(told(vec![removal("filter"), end(5), removal("podid2"), end(6), element, end(7)]), []);
    }

    #[test]
    fn touch_does_not_spill_into_the_next_transaction() {
        assert_eq!(told(vec![removal(TABLE), end(5), removal("filter"), end(6)]).len(), 1);
    }

    #[test]
    fn a_change_that_names_no_table_counts_as_a_touch() {
        let strange = NfTablesMessage::Other { message_type: 200, attributes: vec![] };
        assert_eq!(told(vec![strange, end(5)]).len(), 1);
    }

    #[test]
    fn a_packet_that_cannot_be_read_means_that_nobody_knows() {
        for garbage in [&[1_u8, 2, 3][..], &[255; 40], &[0; 20]] {
            let mut heard = Heard::default();
            heard.note(garbage);
            assert_eq!(heard.notices, [Notice::Unknown], "{garbage:?}");
        }
    }
}
