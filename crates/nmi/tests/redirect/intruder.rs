//! Another program that changes the node's rules.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use netlink_packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Cmp, DataAttribute, ExpressionAttribute, Expressions, Hook, Immediate,
    InetHookNumber, ListAttribute, NfTablesMessage, Operator, Register, RuleAttribute, RuleMessage,
    TableAttribute, TableFlags, TableMessage, Verdict, VerdictAttribute,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use crate::world::Namespace;

const OURS: &str = "podid";

/// Ways to damage the redirect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    /// `nft delete table ip podid`
    DeleteTable,
    /// `nft flush ruleset`
    FlushRuleset,
    /// `nft flush chain ip podid redirect`
    FlushChain,
    /// `nft insert rule ip podid redirect accept`
    AcceptInFront,
    /// `nft add table ip podid { flags dormant; }`
    Dormant,
    /// `nft add chain ip podid extra`
    ExtraChain,
}

pub(crate) const EVERY_DAMAGE: [Damage; 6] = [
    Damage::DeleteTable,
    Damage::FlushRuleset,
    Damage::FlushChain,
    Damage::AcceptInFront,
    Damage::Dormant,
    Damage::ExtraChain,
];

/// Tries to do the damage; says what the kernel thinks of it.
pub(crate) fn damage(node: &Namespace, damage: Damage) -> io::Result<()> {
    let table = |flags| {
        let mut attributes = vec![TableAttribute::Name(OURS.into())];
        attributes.extend(flags);
        TableMessage { attributes }
    };
    let in_redirect = || vec![RuleAttribute::Table(OURS.into()), RuleAttribute::Chain("redirect".into())];
    let change = match damage {
        Damage::DeleteTable => NfTablesMessage::DeleteTable(table(None)),
        Damage::FlushRuleset => NfTablesMessage::DeleteTable(TableMessage { attributes: vec![] }),
        Damage::FlushChain => NfTablesMessage::DeleteRule(RuleMessage { attributes: in_redirect() }),
        Damage::AcceptInFront => {
            let mut attributes = in_redirect();
            attributes.push(RuleAttribute::Expressions(vec![
                Expressions::Immediate(vec![
                    Immediate::DestinationRegister(Register::Verdict),
                    Immediate::Data(DataAttribute::Verdict(vec![VerdictAttribute::Code(Verdict::Other(1))])),
                ])
                .into(),
            ]));
            NfTablesMessage::NewRule(RuleMessage { attributes })
        }
        Damage::Dormant => NfTablesMessage::NewTable(table(Some(TableAttribute::Flags(TableFlags::Dormant)))),
        Damage::ExtraChain => NfTablesMessage::NewChain(ChainMessage {
            attributes: vec![ChainAttribute::Table(OURS.into()), ChainAttribute::Name("extra".into())],
        }),
    };
    commit(node, vec![change])
}

/// A leftover of the original: a chain at the usual priority that sends pods elsewhere.
pub(crate) fn add_leftover(node: &Namespace, rule: Vec<RuleAttribute>) -> io::Result<()> {
    add_nat(node, "nat", rule)
}

/// A table that rewrites destinations where iptables does, and kube-proxy in its modes iptables (table `nat`) and
/// nftables (table `kube-proxy`).
pub(crate) fn add_nat(node: &Namespace, name: &str, rule: Vec<RuleAttribute>) -> io::Result<()> {
    let table =
        NfTablesMessage::NewTable(TableMessage { attributes: vec![TableAttribute::Name(name.into())] });
    let chain = NfTablesMessage::NewChain(ChainMessage {
        attributes: vec![
            ChainAttribute::Table(name.into()),
            ChainAttribute::Name("PREROUTING".into()),
            ChainAttribute::Type("nat".into()),
            ChainAttribute::Hook(vec![
                Hook::Number(InetHookNumber::PreRouting.into()),
                Hook::Priority((-100_i32).cast_unsigned()),
            ]),
        ],
    });
    let mut attributes = vec![RuleAttribute::Table(name.into()), RuleAttribute::Chain("PREROUTING".into())];
    attributes.extend(rule);
    commit(node, vec![table, chain, NfTablesMessage::NewRule(RuleMessage { attributes })])
}

/// What the original and kube-proxy make with iptables-nft: chains in `nat`, reached by jumps. Pods are sent to `to`.
pub(crate) fn add_original(node: &Namespace, to: SocketAddrV4) -> io::Result<()> {
    add_leftover(node, dnat_nothing())?;
    for (name, rule) in [("aad-metadata", dnat(to)), ("KUBE-SERVICES", jump(Verdict::Return, None))] {
        let chain = NfTablesMessage::NewChain(ChainMessage {
            attributes: vec![ChainAttribute::Table("nat".into()), ChainAttribute::Name(name.into())],
        });
        commit(
            node,
            vec![chain, rule_in(name, rule), rule_in("PREROUTING", jump(Verdict::Jump, Some(name)))],
        )?;
    }
    Ok(())
}

/// `nft flush chain ip nat NAME`, which succeeds only where there is such a chain.
pub(crate) fn flush_in_nat(node: &Namespace, name: &str) -> io::Result<()> {
    let attributes = vec![RuleAttribute::Table("nat".into()), RuleAttribute::Chain(name.into())];
    commit(node, vec![NfTablesMessage::DeleteRule(RuleMessage { attributes })])
}

/// `nft delete chain ip nat NAME`, which succeeds only where no rule leads to it.
pub(crate) fn delete_in_nat(node: &Namespace, name: &str) -> io::Result<()> {
    let attributes = vec![ChainAttribute::Table("nat".into()), ChainAttribute::Name(name.into())];
    commit(node, vec![NfTablesMessage::DeleteChain(ChainMessage { attributes })])
}

fn rule_in(chain: &str, expressions: Vec<ListAttribute<ExpressionAttribute>>) -> NfTablesMessage {
    NfTablesMessage::NewRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table("nat".into()),
            RuleAttribute::Chain(chain.into()),
            RuleAttribute::Expressions(expressions),
        ],
    })
}

fn jump(verdict: Verdict, to: Option<&str>) -> Vec<ListAttribute<ExpressionAttribute>> {
    let mut attributes = vec![VerdictAttribute::Code(verdict)];
    attributes.extend(to.map(|chain| VerdictAttribute::Chain(chain.into())));
    let counter = Expressions::Other { expression_type: "counter".into(), attributes: vec![] };
    let verdict = Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(attributes)),
    ]);
    vec![counter.into(), verdict.into()]
}

/// A rule that sends every connection to `to`.
pub(crate) fn dnat_everything(to: SocketAddrV4) -> Vec<RuleAttribute> {
    vec![RuleAttribute::Expressions(dnat(to))]
}

/// A rule that rewrites nothing, but makes the kernel track connections.
pub(crate) fn dnat_nothing() -> Vec<RuleAttribute> {
    let mut expressions = vec![
        load(Register::Reg1, &[1]),
        Expressions::Cmp(vec![
            Cmp::SourceRegister(Register::Reg1),
            Cmp::Op(Operator::Equal),
            Cmp::Data(DataAttribute::Value(vec![2])),
        ])
        .into(),
    ];
    expressions.extend(dnat(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)));
    vec![RuleAttribute::Expressions(expressions)]
}

fn dnat(to: SocketAddrV4) -> Vec<ListAttribute<ExpressionAttribute>> {
    let attributes = [(1_u16, 1_u32), (2, 2), (3, 1), (5, 2)]
        .map(|(kind, value)| DefaultNla::new(kind, value.to_be_bytes().to_vec()));
    vec![
        load(Register::Reg1, &to.ip().octets()),
        load(Register::Reg2, &to.port().to_be_bytes()),
        Expressions::Other { expression_type: "nat".into(), attributes: attributes.to_vec() }.into(),
    ]
}

fn load(register: Register, value: &[u8]) -> ListAttribute<ExpressionAttribute> {
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(register),
        Immediate::Data(DataAttribute::Value(value.to_vec())),
    ])
    .into()
}

fn commit(node: &Namespace, changes: Vec<NfTablesMessage>) -> io::Result<()> {
    let mut bytes = vec![];
    let mut write = |family, resource, message: NetfilterMessageInner, flags, sequence| {
        let header = NetfilterHeader::new(family, 0, resource);
        let mut message = NetlinkMessage::from(NetfilterMessage::new(header, message));
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = sequence;
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    };
    write(NetfilterProtoFamily::Unspec, 10, ControlMessage::BatchBegin.into(), 0, 1);
    let last = changes.len() - 1;
    for (place, change) in changes.into_iter().enumerate() {
        let create = match change {
            NfTablesMessage::DeleteTable(_)
            | NfTablesMessage::DeleteChain(_)
            | NfTablesMessage::DeleteRule(_) => 0,
            _ => NLM_F_CREATE,
        };
        let acknowledge = if place == last { NLM_F_ACK } else { 0 };
        write(NetfilterProtoFamily::IPv4, 0, change.into(), create | acknowledge, 2);
    }
    write(NetfilterProtoFamily::Unspec, 10, ControlMessage::BatchEnd.into(), 0, 3);
    let answer = node.run(|| {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        socket.recv_from_full()
    })?;
    let answer = NetlinkMessage::<NetfilterMessage>::deserialize(&answer.0).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::Error(error) if error.raw_code() != 0 => Err(error.to_io()),
        _ => Ok(()),
    }
}
