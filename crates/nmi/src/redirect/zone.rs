//! How does a link get connection tracking of its own?
//!
//! A connection over a pair of links whose ends are both on this node is seen twice. Without a zone, the second
//! sight would be taken for the first one again, and the redirect would not be asked.

use std::io;

use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Hook as HookAttribute, InetHookNumber, MetaKey, NfTablesMessage, Operator,
    Register, RuleAttribute, RuleMessage, TableAttribute, TableFlags, TableMessage,
};

use super::message::{compare, load, meta, number, other};
use super::socket::Socket;

/// A table of its own: it must not be part of what is compared and repaired, and a kernel without zones must not
/// keep NMI from redirecting.
const TABLE: &str = "podid-test";

/// Before connection tracking.
const RAW: i32 = -300;
const ACCEPT: u32 = 1;

/// Any number that nobody else uses.
const ZONE: u16 = 25790;

/// What refusals mean.
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;
const ERESTART: i32 = 85;
const ATTEMPTS: usize = 20;

/// The zone while it exists. The kernel removes it with the process, too, if it knows owned tables.
pub(crate) struct Zone {
    socket: Socket,
}

// === impl Zone ===

impl Zone {
    /// Puts what leaves and arrives by the link with this index into the zone.
    pub(crate) async fn open(link: u32) -> io::Result<Self> {
        let mut socket = Socket::open()?;
        let zone = |flags| {
            let mut changes = vec![table(flags), delete(), table(flags)];
            changes.extend(chain("out", InetHookNumber::LocalOut, MetaKey::Oif, link));
            changes.extend(chain("back", InetHookNumber::PreRouting, MetaKey::Iif, link));
            changes
        };
        let outcome = match commit(&mut socket, || zone(TableFlags::Owner)).await {
            Err(error) if matches!(error.raw_os_error(), Some(EINVAL | EOPNOTSUPP)) => {
                commit(&mut socket, || zone(TableFlags::empty())).await
            }
            outcome => outcome,
        };
        outcome.map(|()| Self { socket })
    }

    /// Removes the zone.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        match commit(&mut self.socket, || vec![delete()]).await {
            Err(error) if error.raw_os_error() == Some(ENOENT) => Ok(()),
            outcome => outcome,
        }
    }
}

async fn commit(socket: &mut Socket, changes: impl Fn() -> Vec<NfTablesMessage>) -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        let generation = socket.generation().await?;
        match socket.commit(changes(), generation).await {
            Err(error) if error.raw_os_error() == Some(ERESTART) => {}
            outcome => return outcome,
        }
    }
    Err(io::Error::other("other programs keep changing the ruleset"))
}

fn table(flags: TableFlags) -> NfTablesMessage {
    let attributes = vec![TableAttribute::Name(TABLE.into()), TableAttribute::Flags(flags)];
    NfTablesMessage::NewTable(TableMessage { attributes })
}

fn delete() -> NfTablesMessage {
    NfTablesMessage::DeleteTable(TableMessage { attributes: vec![TableAttribute::Name(TABLE.into())] })
}

/// A chain on a hook, and its one rule.
fn chain(name: &'static str, hook: InetHookNumber, key: MetaKey, link: u32) -> [NfTablesMessage; 2] {
    const KEY_ZONE: (u16, u32) = (2, 17);
    const FROM: (u16, u32) = (4, 1);
    let chain = ChainMessage {
        attributes: vec![
            ChainAttribute::Table(TABLE.into()),
            ChainAttribute::Name(name.into()),
            ChainAttribute::Type("filter".into()),
            ChainAttribute::Policy(ACCEPT),
            ChainAttribute::Hook(vec![
                HookAttribute::Number(hook.into()),
                HookAttribute::Priority(RAW.cast_unsigned()),
            ]),
        ],
    };
    let rule = RuleMessage {
        attributes: vec![
            RuleAttribute::Table(TABLE.into()),
            RuleAttribute::Chain(name.into()),
            RuleAttribute::Expressions(vec![
                meta(key),
                compare(Operator::Equal, &link.to_ne_bytes()),
                load(Register::Reg1, &ZONE.to_ne_bytes()),
                other("ct", [KEY_ZONE, FROM].map(|(kind, value)| number(kind, value)).to_vec()),
            ]),
        ],
    };
    [NfTablesMessage::NewChain(chain), NfTablesMessage::NewRule(rule)]
}
