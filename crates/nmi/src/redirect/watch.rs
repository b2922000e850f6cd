//! Who changed our table?

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, GenAttribute, NfTablesMessage, RuleAttribute, SetAttribute, SetElementList,
    TableAttribute,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket, TokioSocket};

use super::ruleset::TABLE;
use super::socket::{generation_of, receive};

/// The multicast group that hears of every change of rules.
const GROUP: u32 = 7;

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
                Ok(messages) => messages.into_iter().for_each(|message| self.heard.note(message)),
                Err(error)
                    if error.raw_os_error() == Some(ENOBUFS)
                        || error.kind() == io::ErrorKind::InvalidData =>
                {
                    return Ok(Notice::Unknown);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

// === impl Heard ===

impl Heard {
    /// A transaction is told as its changes, one by one, and a last message that says who made it.
    fn note(&mut self, message: NetlinkMessage<NetfilterMessage>) {
        let NetlinkPayload::InnerMessage(message) = message.payload else { return };
        let NetfilterMessageInner::NfTables(change) = message.inner else { return };
        let NfTablesMessage::NewGen(end) = &change else {
            self.touched |= table_of(&change).is_none_or(|table| table == TABLE);
            return;
        };
        if std::mem::take(&mut self.touched) {
            let mut author = Author::default();
            for attribute in &end.attributes {
                match attribute {
                    GenAttribute::ProcPid(pid) => author.pid = Some(*pid),
                    GenAttribute::ProcName(name) => author.name = Some(name.clone()),
                    _ => {}
                }
            }
            self.notices.push_back(Notice::Touched { generation: generation_of(end), author });
        }
    }
}

/// The table that a change is about, where it says so.
fn table_of(change: &NfTablesMessage) -> Option<&str> {
    use NfTablesMessage as M;
    match change {
        M::NewTable(table) | M::DeleteTable(table) => {
            table.attributes.iter().find_map(|attribute| match attribute {
                TableAttribute::Name(name) => Some(name.as_str()),
                _ => None,
            })
        }
        M::NewChain(chain) | M::DeleteChain(chain) => {
            chain.attributes.iter().find_map(|attribute| match attribute {
                ChainAttribute::Table(name) => Some(name.as_str()),
                _ => None,
            })
        }
        M::NewRule(rule) | M::DeleteRule(rule) => {
            rule.attributes.iter().find_map(|attribute| match attribute {
                RuleAttribute::Table(name) => Some(name.as_str()),
                _ => None,
            })
        }
        M::NewSet(set) | M::DeleteSet(set) => set.attributes.iter().find_map(|attribute| match attribute {
            SetAttribute::Table(name) => Some(name.as_str()),
            _ => None,
        }),
        M::NewSetElement(set) | M::DeleteSetElement(set) => {
            set.attributes.iter().find_map(|attribute| match attribute {
                SetElementList::Table(name) => Some(name.as_str()),
                _ => None,
            })
        }
        _ => None,
    }
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
    use netlink_packet_netfilter::nftables::{GenMessage, TableMessage};
    use netlink_packet_netfilter::{NetfilterHeader, NetfilterProtoFamily};

    use super::*;

    fn told(changes: Vec<NfTablesMessage>) -> Vec<Notice> {
        let mut heard = Heard::default();
        for change in changes {
            let header = NetfilterHeader::new(NetfilterProtoFamily::IPv4, 0, 0);
            heard.note(NetlinkMessage::from(NetfilterMessage::new(header, change)));
        }
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
        assert_eq!(told(vec![removal("filter"), end(5), removal("kube-proxy"), end(6)]), []);
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
}
