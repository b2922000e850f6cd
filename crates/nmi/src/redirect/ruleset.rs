//! Which rules make pods meet NMI instead of the instance metadata service?
//!
//! The table has four chains. `guard` sees packets first, before connection tracking: nothing from outside the
//! node's own network stack may be addressed to 127.0.0.0/8 (which matters once `route_localnet` is on), nor to
//! the listener, which is open to redirected traffic only. `redirect` rewrites the destination; it comes just
//! before the chains that iptables made, so that a leftover of aad-pod-identity never sees the packet. `port`
//! closes the listener's port on all other addresses of the node, should NMI listen on every one.
//! `fence` drops what would still be forwarded to the metadata service, should the rewriting ever not happen, and
//! what pods send to WireServer if that is wanted.
//!
//! `redirect` rewrites to an address (`dnat to`) and never to "this machine" (`redirect`): on a routed node the
//! pod's link has no address to be redirected to, and the packets would be lost.

use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Settings;

/// The table that belongs to NMI; family `ip`, because Azure's metadata service has no IPv6 address.
pub(super) const TABLE: &str = "podid";

/// Where Azure serves the agent of a machine, which can give out the machine's settings and secrets. Its other ports
/// (DNS, DHCP) are used by everybody.
const WIRESERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
const WIRESERVER_PORTS: [u16; 2] = [80, 32526];

/// What is said of connections that come while no NMI answers.
const AWAY: &str = "NMI is away, try again";

/// What a connection attempt to the metadata service meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// NMI's listener.
    Open,
    /// Silence, so that the client tries again in a second. Connections under way go on: their packets follow
    /// what connection tracking noted and do not pass the chain again.
    Closed,
}

/// The whole content of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruleset {
    pub(super) chains: Vec<Chain>,
}

/// A chain on a hook of the kernel's packet path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) hook: Hook,
    /// Chains on one hook run in ascending order.
    pub(super) priority: i32,
    pub(super) rules: Vec<Rule>,
}

/// The chain types in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Nat,
}

/// The hooks in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    PreRouting,
    Input,
    Forward,
}

/// One rule: what all the matches agree on meets the verdict. Every rule counts its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) matches: Vec<Match>,
    pub(super) verdict: Verdict,
    /// What `nft list ruleset` shows to whoever wonders.
    pub(super) comment: &'static str,
}

/// A property of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// It arrived on a link other than the loopback device.
    FromOutside,
    /// It is addressed to 127.0.0.0/8.
    ToLoopback,
    /// It is addressed to this host.
    To(Ipv4Addr),
    /// It is addressed to any other host.
    NotTo(Ipv4Addr),
    /// It is TCP for this port.
    TcpPort(u16),
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    Dnat(SocketAddrV4),
}

// === impl Ruleset ===

impl Ruleset {
    /// The rules that bring traffic for the metadata service to the listener, or to nobody while the door is closed.
    pub(super) fn new(settings: Settings, door: Door) -> Self {
        Self { chains: vec![guard(settings), redirect(settings, door), port(settings), fence(settings)] }
    }
}

fn guard(Settings { listener, options, .. }: Settings) -> Chain {
    let mut rules = vec![drop(vec![Match::FromOutside, Match::ToLoopback], "nobody else's loopback")];
    if !options.local_redirect_policy {
        rules.push(drop(from_outside_to(listener), "redirected traffic only"));
    }
    Chain { name: "guard", kind: Kind::Filter, hook: Hook::PreRouting, priority: -300, rules }
}

fn redirect(Settings { metadata, listener, options }: Settings, door: Door) -> Chain {
    let mut rules = vec![];
    if door == Door::Closed {
        rules.push(drop(to(metadata), AWAY));
        if options.local_redirect_policy {
            rules.push(drop(from_outside_to(listener), AWAY));
        }
    }
    // While the door is closed, no packet gets as far as this. But the kernel tracks connections only while some
    // rule rewrites, and without that the connections under way would break.
    rules.push(Rule { matches: to(metadata), verdict: Verdict::Dnat(listener), comment: "pods meet NMI" });
    Chain { name: "redirect", kind: Kind::Nat, hook: Hook::PreRouting, priority: -101, rules }
}

fn port(Settings { listener, .. }: Settings) -> Chain {
    let elsewhere = vec![Match::FromOutside, Match::NotTo(*listener.ip()), Match::TcpPort(listener.port())];
    let rules = vec![drop(elsewhere, "redirected traffic only, on any address")];
    Chain { name: "port", kind: Kind::Filter, hook: Hook::Input, priority: 0, rules }
}

fn fence(Settings { metadata, options, .. }: Settings) -> Chain {
    let mut rules = vec![drop(to(metadata), "never past NMI")];
    if options.block_wireserver {
        let blocked = |port| drop(to(SocketAddrV4::new(WIRESERVER, port)), "no WireServer for pods");
        rules.extend(WIRESERVER_PORTS.map(blocked));
    }
    Chain { name: "fence", kind: Kind::Filter, hook: Hook::Forward, priority: 0, rules }
}

fn to(address: SocketAddrV4) -> Vec<Match> {
    vec![Match::To(*address.ip()), Match::TcpPort(address.port())]
}

fn from_outside_to(address: SocketAddrV4) -> Vec<Match> {
    [vec![Match::FromOutside], to(address)].concat()
}

fn drop(matches: Vec<Match>, comment: &'static str) -> Rule {
    Rule { matches, verdict: Verdict::Drop, comment }
}

impl Display for Ruleset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "table ip {TABLE} {{")?;
        for chain in &self.chains {
            write!(f, "{chain}")?;
        }
        writeln!(f, "}}")
    }
}

// === impl Chain ===

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (kind, hook) = (self.kind.name(), self.hook.name());
        writeln!(f, "  chain {} {{", self.name)?;
        writeln!(f, "    type {kind} hook {hook} priority {}; policy accept;", self.priority)?;
        for rule in &self.rules {
            writeln!(f, "    {rule}")?;
        }
        writeln!(f, "  }}")
    }
}

impl Kind {
    /// The kernel's name of the chain type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        }
    }
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Self::PreRouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
        }
    }
}

// === impl Rule ===

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for found in &self.matches {
            match found {
                Match::FromOutside => write!(f, "iif != lo ")?,
                Match::ToLoopback => write!(f, "ip daddr 127.0.0.0/8 ")?,
                Match::To(address) => write!(f, "ip daddr {address} ")?,
                Match::NotTo(address) => write!(f, "ip daddr != {address} ")?,
                Match::TcpPort(port) => write!(f, "tcp dport {port} ")?,
            }
        }
        match self.verdict {
            Verdict::Drop => write!(f, "counter drop")?,
            Verdict::Dnat(to) => write!(f, "counter dnat to {to}")?,
        }
        write!(f, " comment {:?}", self.comment)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn ruleset(door: Door) -> String {
        ruleset_with(Options::default(), door)
    }

    fn ruleset_with(options: Options, door: Door) -> String {
        let metadata = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
        let listener = SocketAddrV4::new(Ipv4Addr::new(10, 240, 0, 4), 2579);
        Ruleset::new(Settings { metadata, listener, options }, door).to_string()
    }

    /// The lines that only the second has, without the margin.
    fn added(usual: &str, special: &str) -> Vec<String> {
        let new = |line: &&str| !usual.lines().any(|known| known == *line);
        special.lines().filter(new).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn wireserver_is_blocked_at_two_ports_when_that_is_wanted() {
        let options = Options { block_wireserver: true, ..Options::default() };
        for door in [Door::Open, Door::Closed] {
            assert_eq!(
                added(&ruleset(door), &ruleset_with(options, door)),
                [80, 32526].map(|port| {
                    format!(
                        "ip daddr 168.63.129.16 tcp dport {port} counter drop comment \"no WireServer for pods\""
                    )
                })
            );
        }
    }

    #[test]
    fn a_local_redirect_policy_may_send_pods_to_the_listener_while_the_door_is_open() {
        let options = Options { local_redirect_policy: true, ..Options::default() };
        let (usual, special) = (ruleset(Door::Open), ruleset_with(options, Door::Open));
        assert_eq!(
            added(&special, &usual),
            [
                r#"iif != lo ip daddr 10.240.0.4 tcp dport 2579 counter drop comment "redirected traffic only""#
            ]
        );
        assert_eq!(
            added(&ruleset(Door::Closed), &ruleset_with(options, Door::Closed)),
            [r#"iif != lo ip daddr 10.240.0.4 tcp dport 2579 counter drop comment "NMI is away, try again""#]
        );
    }

    #[test]
    fn open_door_rewrites_to_the_listener() {
        insta::assert_snapshot!(ruleset(Door::Open), @r#"
        table ip podid {
          chain guard {
            type filter hook prerouting priority -300; policy accept;
            iif != lo ip daddr 127.0.0.0/8 counter drop comment "nobody else's loopback"
            iif != lo ip daddr 10.240.0.4 tcp dport 2579 counter drop comment "redirected traffic only"
          }
          chain redirect {
            type nat hook prerouting priority -101; policy accept;
            ip daddr 169.254.169.254 tcp dport 80 counter dnat to 10.240.0.4:2579 comment "pods meet NMI"
          }
          chain port {
            type filter hook input priority 0; policy accept;
            iif != lo ip daddr != 10.240.0.4 tcp dport 2579 counter drop comment "redirected traffic only, on any address"
          }
          chain fence {
            type filter hook forward priority 0; policy accept;
            ip daddr 169.254.169.254 tcp dport 80 counter drop comment "never past NMI"
          }
        }
        "#);
    }

    #[test]
    fn closed_door_drops_first_and_goes_on_tracking_connections() {
        let (open, closed) = (ruleset(Door::Open), ruleset(Door::Closed));
        let silence =
            r#"    ip daddr 169.254.169.254 tcp dport 80 counter drop comment "NMI is away, try again""#;
        let rewrite = open.lines().find(|line| line.contains("dnat")).unwrap();
        assert_eq!(closed, open.replace(rewrite, &format!("{silence}\n{rewrite}")));
    }

    #[test]
    fn chains_come_before_what_iptables_made() {
        const RAW: i32 = -300;
        const CONNTRACK: i32 = -200;
        const IPTABLES_DNAT: i32 = -100;
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        let settings = Settings { metadata: any, listener: any, options: Options::default() };
        for chain in Ruleset::new(settings, Door::Open).chains {
            match chain.kind {
                Kind::Nat => assert!(CONNTRACK < chain.priority && chain.priority < IPTABLES_DNAT),
                Kind::Filter if chain.hook == Hook::PreRouting => assert_eq!(chain.priority, RAW),
                Kind::Filter => assert_eq!(chain.priority, 0),
            }
        }
    }
}
