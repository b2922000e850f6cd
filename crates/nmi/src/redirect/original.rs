//! What did aad-pod-identity leave among the node's rules, and how does it go?
//!
//! Its NMI adds a chain to iptables' table `nat` and removes it on SIGTERM; killed, it leaves it. Ours comes before
//! it, so it sees nothing. But it would send pods to a closed port as soon as our redirect is removed.
//!
//! iptables has two homes: `iptables-nft` keeps its rules in nftables, where they can be read and removed.
//! `iptables-legacy` has tables of its own, of which only the names can be seen from here.

use std::io;

use netlink_packet_core::{NlaBuffer, NlasIterator, parse_string};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, NfTablesMessage, RuleAttribute, RuleMessage,
};
use tokio::fs;
use tracing::{info, warn};

use super::socket::{Raw, Socket};

/// The table and the chain of aad-pod-identity (peer contract §4.9).
const TABLE: &str = "nat";
const CHAIN: &str = "aad-metadata";

/// The tables of iptables-legacy in this network namespace, one on each line.
const LEGACY_TABLES: &str = "/proc/net/ip_tables_names";

/// What to do about iptables-legacy by hand.
const LEGACY_COMMANDS: &str = "iptables-legacy -t nat -S aad-metadata shows it; iptables-legacy -t nat -D PREROUTING -j aad-metadata, \
     iptables-legacy -t nat -F aad-metadata and iptables-legacy -t nat -X aad-metadata remove it";

/// How often the removal is tried again because somebody else changed rules meanwhile.
const ATTEMPTS: usize = 20;

/// What a transaction for an outdated generation is refused with; std has no name for it.
const ERESTART: i32 = 85;

/// The attributes of a chain and of a rule.
const TABLE_NAME: u16 = 1;
const CHAIN_NAME: u16 = 3;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;

/// The attributes on the way from an expression to the chain that it jumps to.
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const IMMEDIATE_DATA: u16 = 2;
const DATA_VERDICT: u16 = 2;
const VERDICT_CHAIN: u16 = 2;

/// What is left in nftables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leftover {
    chain: bool,
    jumps: Vec<Jump>,
}

/// A rule that leads to the chain.
#[derive(Debug, PartialEq, Eq)]
struct Jump {
    chain: String,
    handle: u64,
}

/// Says what is left, and removes it where that is wanted and possible. Nothing that happens here stops NMI.
pub(super) async fn attend(remove: bool) {
    if let Err(error) = attend_nftables(remove).await {
        warn!(%error, chain = CHAIN, "cannot look for, or remove, the chain of aad-pod-identity");
    }
    // Without the right to read it, or without iptables in the kernel, there is nothing to say.
    let names = fs::read_to_string(LEGACY_TABLES).await.unwrap_or_default();
    if has_nat(&names) {
        info!(
            chain = CHAIN,
            by_hand = LEGACY_COMMANDS,
            "this node uses iptables-legacy, whose rules NMI cannot see. If aad-pod-identity ran here, look for its chain; \
             it has no effect while the redirect is installed"
        );
    }
}

async fn attend_nftables(remove: bool) -> io::Result<()> {
    let mut socket = Socket::open()?;
    let leftover = look(&mut socket).await?;
    if leftover == Leftover::default() {
        return Ok(());
    }
    if !remove {
        warn!(
            table = TABLE,
            chain = CHAIN,
            "aad-pod-identity left a chain among the rules of this node. It has no effect while the redirect is installed; \
             --cleanup-original removes it"
        );
        return Ok(());
    }
    take_away(&mut socket).await?;
    info!(
        table = TABLE,
        chain = CHAIN,
        "removed the chain that aad-pod-identity left; if it comes back, its NMI still runs on this node"
    );
    Ok(())
}

async fn take_away(socket: &mut Socket) -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        let generation = socket.generation().await?;
        let leftover = look(socket).await?;
        match socket.commit(removal(leftover), generation).await {
            Err(error) if error.raw_os_error() == Some(ERESTART) => {}
            outcome => return outcome,
        }
    }
    Err(io::Error::other("other programs keep changing the ruleset"))
}

/// The jumps go first: a chain that rules lead to cannot be removed.
fn removal(leftover: Leftover) -> Vec<NfTablesMessage> {
    let jump = |Jump { chain, handle }| {
        NfTablesMessage::DeleteRule(RuleMessage {
            attributes: vec![
                RuleAttribute::Table(TABLE.into()),
                RuleAttribute::Chain(chain),
                RuleAttribute::Handle(handle),
            ],
        })
    };
    let chain = leftover.chain.then(|| {
        NfTablesMessage::DeleteChain(ChainMessage {
            attributes: vec![ChainAttribute::Table(TABLE.into()), ChainAttribute::Name(CHAIN.into())],
        })
    });
    leftover.jumps.into_iter().map(jump).chain(chain).collect()
}

async fn look(socket: &mut Socket) -> io::Result<Leftover> {
    let mut leftover = Leftover::default();
    let chains = NfTablesMessage::GetChain(ChainMessage { attributes: vec![] });
    socket
        .list(chains, |message| {
            leftover.chain |= text(message, TABLE_NAME).as_deref() == Some(TABLE)
                && text(message, CHAIN_NAME).as_deref() == Some(CHAIN);
        })
        .await?;
    let rules =
        NfTablesMessage::GetRule(RuleMessage { attributes: vec![RuleAttribute::Table(TABLE.into())] });
    socket.list(rules, |message| leftover.jumps.extend(jump(message))).await?;
    Ok(leftover)
}

/// The rule, if it leads to the chain of the original. Only what is needed is read: rules may hold anything.
fn jump(rule: &Raw<'_>) -> Option<Jump> {
    let expressions = find(rule.attributes, RULE_EXPRESSIONS)?;
    if text(rule, TABLE_NAME)? != TABLE || !attributes(&expressions).any(|one| leads_to_chain(one.value())) {
        return None;
    }
    let handle = find(rule.attributes, RULE_HANDLE)?.try_into().ok()?;
    Some(Jump { chain: text(rule, RULE_CHAIN)?, handle: u64::from_be_bytes(handle) })
}

/// Whether an expression jumps or goes to the chain of the original.
fn leads_to_chain(expression: &[u8]) -> bool {
    let path = [EXPRESSION_DATA, IMMEDIATE_DATA, DATA_VERDICT, VERDICT_CHAIN];
    let name = find(expression, EXPRESSION_NAME).and_then(|name| parse_string(&name).ok());
    let target = path.into_iter().try_fold(expression.to_vec(), |inside, kind| find(&inside, kind));
    let target = target.and_then(|target| parse_string(&target).ok());
    name.as_deref() == Some("immediate") && target.as_deref() == Some(CHAIN)
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(Result::ok)
}

fn find(bytes: &[u8], kind: u16) -> Option<Vec<u8>> {
    attributes(bytes).find(|attribute| attribute.kind() == kind).map(|attribute| attribute.value().to_vec())
}

fn text(message: &Raw<'_>, kind: u16) -> Option<String> {
    find(message.attributes, kind).and_then(|value| parse_string(&value).ok())
}

/// Whether iptables-legacy has a table `nat` here.
fn has_nat(names: &str) -> bool {
    names.lines().any(|name| name.trim() == TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_table_of_that_name_counts_for_iptables_legacy() {
        assert!(has_nat("filter\nnat\n"));
        for names in ["", "filter\nmangle\n", "nat6\n"] {
            assert!(!has_nat(names), "{names:?}");
        }
    }

    #[test]
    fn jumps_go_before_the_chain_that_they_lead_to() {
        let jump = Jump { chain: "PREROUTING".into(), handle: 7 };
        let changes = removal(Leftover { chain: true, jumps: vec![jump] });
        assert!(
            matches!(changes.as_slice(), [NfTablesMessage::DeleteRule(_), NfTablesMessage::DeleteChain(_)]),
            "{changes:?}"
        );
    }
}
