//! How is a rule written in the kernel's own language?
//!
//! The numbers are those of the kernel's `include/uapi/linux/netfilter/nf_tables.h`. NAT and counters have no
//! types in the netlink crate; they are written attribute by attribute.

use std::net::Ipv4Addr;

use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Cmp, DataAttribute, ExpressionAttribute, Expressions,
    Hook as HookAttribute, Immediate, InetHookNumber, ListAttribute, Meta, MetaKey, NfTablesMessage,
    Operator, Payload, Register, RuleAttribute, RuleMessage, TableAttribute, TableFlags, TableMessage,
    Verdict as VerdictCode, VerdictAttribute,
};

use super::ruleset::{Chain, Hook, Match, Rule, Ruleset, TABLE, Verdict};

/// The loopback device has this index in every network namespace.
const LOOPBACK_INDEX: u32 = 1;

const TCP: u8 = 6;
const ACCEPT: u32 = 1;
const DROP: VerdictCode = VerdictCode::Other(0);
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const DESTINATION_ADDRESS: u32 = 16;
const DESTINATION_PORT: u32 = 2;

type Expression = ListAttribute<ExpressionAttribute>;

/// Adds the table, or takes it over where its last owner is gone.
pub(super) fn new_table(flags: TableFlags) -> NfTablesMessage {
    NfTablesMessage::NewTable(TableMessage {
        attributes: vec![TableAttribute::Name(TABLE.into()), TableAttribute::Flags(flags)],
    })
}

/// Removes the table with all that is in it.
pub(super) fn delete_table() -> NfTablesMessage {
    NfTablesMessage::DeleteTable(TableMessage { attributes: vec![TableAttribute::Name(TABLE.into())] })
}

/// Asks for the table.
pub(super) fn get_table() -> NfTablesMessage {
    NfTablesMessage::GetTable(TableMessage { attributes: vec![TableAttribute::Name(TABLE.into())] })
}

/// Asks for one chain.
pub(super) fn get_chain(name: &str) -> NfTablesMessage {
    NfTablesMessage::GetChain(ChainMessage {
        attributes: vec![ChainAttribute::Table(TABLE.into()), ChainAttribute::Name(name.into())],
    })
}

/// Asks for all rules of the table.
pub(super) fn get_rules() -> NfTablesMessage {
    NfTablesMessage::GetRule(RuleMessage { attributes: vec![RuleAttribute::Table(TABLE.into())] })
}

/// Fills an empty table.
pub(super) fn content(ruleset: &Ruleset) -> Vec<NfTablesMessage> {
    let chains = ruleset.chains.iter().map(new_chain);
    let rules =
        ruleset.chains.iter().flat_map(|chain| chain.rules.iter().map(|rule| new_rule(chain.name, rule)));
    chains.chain(rules).collect()
}

fn new_chain(chain: &Chain) -> NfTablesMessage {
    let hook = match chain.hook {
        Hook::PreRouting => InetHookNumber::PreRouting,
        Hook::Input => InetHookNumber::LocalIn,
        Hook::Forward => InetHookNumber::Forward,
    };
    NfTablesMessage::NewChain(ChainMessage {
        attributes: vec![
            ChainAttribute::Table(TABLE.into()),
            ChainAttribute::Name(chain.name.into()),
            ChainAttribute::Type(chain.kind.name().into()),
            ChainAttribute::Policy(ACCEPT),
            ChainAttribute::Hook(vec![
                HookAttribute::Number(hook.into()),
                HookAttribute::Priority(chain.priority.cast_unsigned()),
            ]),
        ],
    })
}

fn new_rule(chain: &str, rule: &Rule) -> NfTablesMessage {
    let mut expressions: Vec<Expression> = rule.matches.iter().flat_map(|found| matching(*found)).collect();
    expressions.push(other("counter", vec![]));
    expressions.extend(concluding(rule.verdict));
    NfTablesMessage::NewRule(RuleMessage {
        attributes: vec![
            RuleAttribute::Table(TABLE.into()),
            RuleAttribute::Chain(chain.into()),
            RuleAttribute::Expressions(expressions),
            RuleAttribute::UserData(comment(rule.comment)),
        ],
    })
}

fn matching(found: Match) -> Vec<Expression> {
    match found {
        Match::FromOutside => {
            vec![meta(MetaKey::Iif), compare(Operator::NotEqual, &LOOPBACK_INDEX.to_ne_bytes())]
        }
        Match::ToLoopback => {
            vec![payload(NETWORK_HEADER, DESTINATION_ADDRESS, 1), compare(Operator::Equal, &[127])]
        }
        Match::To(address) => destination(Operator::Equal, address),
        Match::NotTo(address) => destination(Operator::NotEqual, address),
        Match::TcpPort(port) => vec![
            meta(MetaKey::L4Proto),
            compare(Operator::Equal, &[TCP]),
            payload(TRANSPORT_HEADER, DESTINATION_PORT, 2),
            compare(Operator::Equal, &port.to_be_bytes()),
        ],
    }
}

fn destination(operator: Operator, address: Ipv4Addr) -> Vec<Expression> {
    vec![payload(NETWORK_HEADER, DESTINATION_ADDRESS, 4), compare(operator, &address.octets())]
}

fn concluding(verdict: Verdict) -> Vec<Expression> {
    match verdict {
        Verdict::Drop => vec![
            Expressions::Immediate(vec![
                Immediate::DestinationRegister(Register::Verdict),
                Immediate::Data(DataAttribute::Verdict(vec![VerdictAttribute::Code(DROP)])),
            ])
            .into(),
        ],
        Verdict::Dnat(to) => vec![
            load(Register::Reg1, &to.ip().octets()),
            load(Register::Reg2, &to.port().to_be_bytes()),
            dnat(),
        ],
    }
}

/// Rewrites the destination to what registers 1 (address) and 2 (port) hold.
fn dnat() -> Expression {
    const TYPE: (u16, u32) = (1, 1);
    const FAMILY_IPV4: (u16, u32) = (2, 2);
    const ADDRESS_IN: (u16, u32) = (3, 1);
    const PORT_IN: (u16, u32) = (5, 2);
    other("nat", [TYPE, FAMILY_IPV4, ADDRESS_IN, PORT_IN].map(|(kind, value)| number(kind, value)).to_vec())
}

pub(super) fn meta(key: MetaKey) -> Expression {
    Expressions::Meta(vec![Meta::Key(key), Meta::DestinationRegister(Register::Reg1)]).into()
}

fn payload(base: u32, offset: u32, length: u32) -> Expression {
    Expressions::Payload(vec![
        Payload::DestinationRegister(Register::Reg1),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(length),
    ])
    .into()
}

pub(super) fn compare(operator: Operator, value: &[u8]) -> Expression {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(operator),
        Cmp::Data(DataAttribute::Value(value.to_vec())),
    ])
    .into()
}

pub(super) fn load(register: Register, value: &[u8]) -> Expression {
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(register),
        Immediate::Data(DataAttribute::Value(value.to_vec())),
    ])
    .into()
}

pub(super) fn other(name: &str, attributes: Vec<DefaultNla>) -> Expression {
    Expressions::Other { expression_type: name.into(), attributes }.into()
}

/// An attribute that holds a number in network byte order.
pub(super) fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_be_bytes().to_vec())
}

/// A comment as `nft` reads it: type 0, length with the closing zero, text, zero.
fn comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    let mut bytes = vec![0, length];
    bytes.extend(text.bytes().take(usize::from(length) - 1));
    bytes.push(0);
    bytes
}
