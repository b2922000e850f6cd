//! How does the table get into the kernel, and is it still there as we left it?

use std::io;

use netlink_packet_netfilter::NetfilterMessageInner;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ExpressionAttribute, Expressions, ListAttribute, NfTablesMessage, RuleAttribute,
    TableAttribute, TableFlags,
};

use super::message::{content, delete_table, get_chain, get_rules, get_table, new_table};
use super::ruleset::Ruleset;
use super::socket::{Ask, Socket};

/// How often a transaction or a reading is tried again because somebody else changed the ruleset meanwhile.
const ATTEMPTS: usize = 20;

/// What a transaction for an outdated generation is refused with; std has no name for it.
const ERESTART: i32 = 85;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// How the table is protected from other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// Nobody but its owner can change or remove it, and it stays when the owner dies (Linux 6.9).
    Owned,
    /// Everybody who may change rules can change it. An owner flag without persistence would be worse: the table
    /// would go away with its owner, and pods would reach the metadata service.
    Watched,
}

/// The table as the kernel tells it, without what changes by itself: handles, counters, positions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot(Vec<NfTablesMessage>);

/// The table and the socket that owns it.
pub(super) struct Table {
    socket: Socket,
    protection: Protection,
    /// What the kernel told right after our last transaction, and that transaction's number. Comparing with what
    /// we sent would not do: kernels write some expressions in a way of their own.
    reference: Option<(Snapshot, u32)>,
}

// === impl Table ===

impl Table {
    /// Opens the sockets for a table that is to be protected like this where the kernel can do it.
    pub(super) fn open(protection: Protection) -> io::Result<Self> {
        Ok(Self { socket: Socket::open()?, protection, reference: None })
    }

    /// How the table is protected, since it has been written.
    pub(super) fn protection(&self) -> Protection {
        self.protection
    }

    /// The number of our last transaction.
    pub(super) fn generation(&self) -> Option<u32> {
        self.reference.as_ref().map(|(_, generation)| *generation)
    }

    /// Replaces whatever the table holds, in one transaction and without a gap.
    pub(super) async fn replace(&mut self, ruleset: &Ruleset) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            let before = self.socket.generation().await?;
            match self.write(ruleset, before).await {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(ERESTART) => continue,
                Err(error) => return Err(error),
            }
            let ours = following(before);
            // Only what is read in our own transaction's generation is surely what we wrote; and the table's own
            // attributes show changes that others prepare even before they count.
            if let Ok((Some(snapshot), generation)) = read(&mut self.socket, ruleset).await
                && generation == truncated(ours)
                && snapshot.describes(self.protection.flags(), ruleset.chains.len())
            {
                self.reference = Some((snapshot, ours));
                return Ok(());
            }
        }
        Err(io::Error::other("other programs keep changing the ruleset"))
    }

    /// Whether the table is as our last transaction left it.
    pub(super) async fn is_intact(&mut self, ruleset: &Ruleset) -> io::Result<bool> {
        let (found, _) = read(&mut self.socket, ruleset).await?;
        Ok(found.is_some() && found.as_ref() == self.reference.as_ref().map(|(snapshot, _)| snapshot))
    }

    /// Removes the table and says whether there was one.
    pub(super) async fn remove(&mut self) -> io::Result<bool> {
        for _ in 0..ATTEMPTS {
            let before = self.socket.generation().await?;
            match self.socket.commit(vec![delete_table()], before).await {
                Ok(()) => return Ok(true),
                Err(error) if error.raw_os_error() == Some(ENOENT) => return Ok(false),
                Err(error) if error.raw_os_error() == Some(ERESTART) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("other programs keep changing the ruleset"))
    }

    /// Whether this process may look at rules at all.
    pub(super) async fn may_look(&mut self) -> bool {
        self.socket.generation().await.is_ok()
    }

    async fn write(&mut self, ruleset: &Ruleset, generation: u32) -> io::Result<()> {
        if self.protection == Protection::Owned {
            let owned = self.protection.flags();
            // Adding first makes the removal work whether or not there was a table, and adopts an orphan.
            let adopt = vec![new_table(owned), delete_table(), new_table(owned)];
            // A table without the flags cannot be adopted, only replaced.
            let upgrade = vec![delete_table(), new_table(owned)];
            for beginning in [adopt, upgrade] {
                match self.commit(beginning, ruleset, generation).await {
                    Err(error) if says_unknown(&error) => {}
                    outcome => return outcome,
                }
            }
        }
        self.protection = Protection::Watched;
        let plain = self.protection.flags();
        let afresh = vec![new_table(plain), delete_table(), new_table(plain)];
        match self.commit(afresh, ruleset, generation).await {
            // A table with the flags, left by its owner, can only be replaced.
            Err(error) if says_unknown(&error) => {
                self.commit(vec![delete_table(), new_table(plain)], ruleset, generation).await
            }
            outcome => outcome,
        }
    }

    async fn commit(
        &mut self,
        mut changes: Vec<NfTablesMessage>,
        ruleset: &Ruleset,
        generation: u32,
    ) -> io::Result<()> {
        changes.extend(content(ruleset));
        self.socket.commit(changes, generation).await
    }
}

// === impl Protection ===

impl Protection {
    fn flags(self) -> TableFlags {
        match self {
            Self::Owned => TableFlags::Owner | TableFlags::Persisent,
            Self::Watched => TableFlags::empty(),
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Whether the table has these flags and this many chains.
    fn describes(&self, flags: TableFlags, chains: usize) -> bool {
        self.0.iter().any(|part| {
            matches!(part, NfTablesMessage::NewTable(table)
            if table.attributes.contains(&TableAttribute::Flags(flags))
            && table.attributes.iter().any(|attribute| {
                matches!(attribute, TableAttribute::Use(found) if usize::try_from(*found) == Ok(chains))
            }))
        })
    }
}

/// Whether the kernel refused the flags, or the removal of a table that is not there.
fn says_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EINVAL | EOPNOTSUPP | ENOENT))
}

/// Reads the table, and the generation (its lower half) that it was read in.
async fn read(socket: &mut Socket, ruleset: &Ruleset) -> io::Result<(Option<Snapshot>, u16)> {
    for _ in 0..ATTEMPTS {
        match read_once(socket, ruleset).await {
            Ok((snapshot, generations)) if generations.windows(2).all(|pair| pair[0] == pair[1]) => {
                return Ok((Some(snapshot), generations.first().copied().unwrap_or_default()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(ENOENT) => return Ok((None, 0)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the ruleset changes faster than it can be read"))
}

async fn read_once(socket: &mut Socket, ruleset: &Ruleset) -> io::Result<(Snapshot, Vec<u16>)> {
    let chains = ruleset.chains.iter().map(|chain| (get_chain(chain.name), Ask::One));
    let questions = [(get_table(), Ask::One)].into_iter().chain(chains).chain([(get_rules(), Ask::All)]);
    let (mut parts, mut generations) = (vec![], vec![]);
    for (question, ask) in questions {
        socket
            .ask(question, ask, |answer| {
                generations.push(answer.header.res_id);
                if let NetfilterMessageInner::NfTables(part) = answer.inner {
                    parts.push(lasting(part));
                }
            })
            .await?;
    }
    Ok((Snapshot(parts), generations))
}

/// Takes away what changes by itself.
fn lasting(mut part: NfTablesMessage) -> NfTablesMessage {
    match &mut part {
        NfTablesMessage::NewTable(table) => table.attributes.retain(|attribute| {
            matches!(attribute, TableAttribute::Name(_) | TableAttribute::Flags(_) | TableAttribute::Use(_))
        }),
        NfTablesMessage::NewChain(chain) => chain.attributes.retain(|attribute| {
            !matches!(
                attribute,
                ChainAttribute::Handle(_) | ChainAttribute::Counter(_) | ChainAttribute::Other(_)
            )
        }),
        NfTablesMessage::NewRule(rule) => {
            rule.attributes.retain(|attribute| {
                matches!(
                    attribute,
                    RuleAttribute::Table(_)
                        | RuleAttribute::Chain(_)
                        | RuleAttribute::Expressions(_)
                        | RuleAttribute::UserData(_)
                )
            });
            for attribute in &mut rule.attributes {
                if let RuleAttribute::Expressions(expressions) = attribute {
                    expressions.iter_mut().for_each(reset_counter);
                }
            }
        }
        _ => {}
    }
    part
}

fn reset_counter(expression: &mut ListAttribute<ExpressionAttribute>) {
    let ListAttribute::Element(parts) = expression else { return };
    for part in parts {
        if let ExpressionAttribute::Data(Expressions::Other { expression_type, attributes }) = part
            && expression_type == "counter"
        {
            attributes.clear();
        }
    }
}

/// The generation that a transaction on top of `generation` makes; zero is left out.
fn following(generation: u32) -> u32 {
    generation.checked_add(1).unwrap_or(1)
}

/// Answers carry the lower half of the generation.
fn truncated(generation: u32) -> u16 {
    let [_, _, high, low] = generation.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use netlink_packet_netfilter::nftables::{RuleMessage, TableMessage};

    use super::*;

    #[test]
    fn generations_wrap_past_zero() {
        assert_eq!(following(7), 8);
        assert_eq!(following(u32::MAX), 1);
        assert_eq!(truncated(0x0001_fffe), 0xfffe);
    }

    #[test]
    fn a_table_that_somebody_is_about_to_change_is_no_reference() {
        let seen = |flags, chains| {
            Snapshot(vec![lasting(NfTablesMessage::NewTable(TableMessage {
                attributes: vec![
                    TableAttribute::Name("podid".into()),
                    TableAttribute::Use(chains),
                    TableAttribute::Flags(flags),
                ],
            }))])
        };
        let ours = Protection::Watched.flags();
        assert!(seen(ours, 3).describes(ours, 3));
        assert!(!seen(ours | TableFlags::Dormant, 3).describes(ours, 3));
        assert!(!seen(ours, 4).describes(ours, 3));
        assert!(!Snapshot(vec![]).describes(ours, 3));
    }

    #[test]
    fn snapshots_do_not_depend_on_counters_and_handles() {
        let rule = |handle, packets| {
            let counter = Expressions::Other {
                expression_type: "counter".into(),
                attributes: vec![super::super::message::number(1, packets)],
            };
            lasting(NfTablesMessage::NewRule(RuleMessage {
                attributes: vec![
                    RuleAttribute::Chain("fence".into()),
                    RuleAttribute::Handle(handle),
                    RuleAttribute::Position(handle - 1),
                    RuleAttribute::Expressions(vec![counter.into()]),
                ],
            }))
        };
        assert_eq!(rule(4, 0), rule(9, 12));
    }
}
