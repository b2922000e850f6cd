//! Do answers to an address reach the pod that was given it?
//!
//! Decided from what the kernel says: where packets for the address go, and which addresses there are in the
//! network namespaces behind the ports of a bridge. A pod can claim an address by ARP, or take on a hardware
//! address, but it cannot take the address out of the namespace of the pod that was given it.

use std::fmt;
use std::net::IpAddr;

/// Where packets for an address go, as the kernel has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Over a link with one other end; none if it cannot be seen who is there.
    Link(Option<Behind>),
    /// Through a bridge.
    Bridge {
        /// Ports at which the bridge would send them out: none means all.
        out: Vec<u32>,
        /// Each port and what is behind it, if that can be seen.
        ports: Vec<(u32, Option<Behind>)>,
    },
    /// Over a gateway, or in some way that says nothing about pods.
    Other,
}

/// The addresses of the network namespace at the other end, without those that every namespace has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind(pub(super) Vec<IpAddr>);

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it, and packets leave the bridge at this port, if there is one.
    Good(Option<u32>),
    /// Somebody else would read the answers.
    Astray(Astray),
}

/// Why answers would go astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Astray {
    /// Packets go to a namespace that has other addresses.
    Elsewhere,
    /// Two namespaces have the address.
    Twice,
    /// The bridge does not know the hardware address and would send packets to everybody.
    Everywhere,
    /// The bridge knows the hardware address at several ports.
    SeveralPorts,
}

/// Judges the way that packets for `address` take.
pub(super) fn judge(address: IpAddr, way: &Way) -> Verdict {
    match way {
        Way::Other | Way::Link(None) => Verdict::Good(None),
        Way::Link(Some(behind)) if behind.may_have(address) => Verdict::Good(None),
        Way::Link(Some(_)) => Verdict::Astray(Astray::Elsewhere),
        Way::Bridge { out, ports } => match out.as_slice() {
            [] => Verdict::Astray(Astray::Everywhere),
            [port] => judge_port(address, *port, ports),
            _ => Verdict::Astray(Astray::SeveralPorts),
        },
    }
}

fn judge_port(address: IpAddr, out: u32, ports: &[(u32, Option<Behind>)]) -> Verdict {
    let elsewhere = ports.iter().any(|(port, behind)| *port != out && has(behind.as_ref(), address));
    let there = ports.iter().find(|(port, _)| *port == out).and_then(|(_, behind)| behind.as_ref());
    match (has(there, address), elsewhere) {
        (true, true) => Verdict::Astray(Astray::Twice),
        (_, false) if there.is_none_or(|behind| behind.may_have(address)) => Verdict::Good(Some(out)),
        _ => Verdict::Astray(Astray::Elsewhere),
    }
}

fn has(behind: Option<&Behind>, address: IpAddr) -> bool {
    behind.is_some_and(|behind| behind.0.contains(&address))
}

// === impl Behind ===

impl Behind {
    /// Runtimes that bring a network stack of their own (gVisor) leave the namespace without addresses.
    fn may_have(&self, address: IpAddr) -> bool {
        self.0.contains(&address) || self.0.iter().all(|other| other.is_ipv4() != address.is_ipv4())
    }
}

// === impl Astray ===

impl fmt::Display for Astray {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Elsewhere => "they go to another pod, which claims the address",
            Self::Twice => "another pod on the same bridge has given itself the address",
            Self::Everywhere => "the bridge would send them to all pods",
            Self::SeveralPorts => "the bridge knows their hardware address at several ports",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VICTIM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const SIX: IpAddr = IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));

    type Seen<'a> = Option<&'a [IpAddr]>;

    fn link(seen: Seen<'_>) -> Way {
        Way::Link(seen.map(|addresses| Behind(addresses.to_vec())))
    }

    fn bridge(out: &[u32], first: Seen<'_>, second: Seen<'_>) -> Way {
        let behind = |seen: Seen<'_>| seen.map(|addresses| Behind(addresses.to_vec()));
        Way::Bridge { out: out.to_vec(), ports: vec![(1, behind(first)), (2, behind(second))] }
    }

    #[test]
    fn answers_are_good_only_where_the_address_was_given_and_nowhere_else() {
        let (elsewhere, twice) = (Verdict::Astray(Astray::Elsewhere), Verdict::Astray(Astray::Twice));
        let (nobody, victim, attacker): (Seen<'_>, Seen<'_>, Seen<'_>) =
            (Some(&[]), Some(&[VICTIM]), Some(&[ATTACKER]));
        let thief: Seen<'_> = Some(&[ATTACKER, VICTIM]);
        let cases = [
            (bridge(&[1], victim, attacker), Verdict::Good(Some(1))),
            // The attacker says by ARP that it has the address, or takes on the hardware address.
            (bridge(&[2], victim, attacker), elsewhere),
            // The victim cannot be looked at, or is silent; the attacker can.
            (bridge(&[2], None, attacker), elsewhere),
            (bridge(&[2], nobody, attacker), elsewhere),
            // The attacker may give itself addresses, too.
            (bridge(&[2], victim, thief), twice),
            (bridge(&[1], victim, thief), twice),
            // The hardware address belongs to nobody, or to somebody beyond the node.
            (bridge(&[], victim, attacker), Verdict::Astray(Astray::Everywhere)),
            (bridge(&[1, 2], victim, attacker), Verdict::Astray(Astray::SeveralPorts)),
            (bridge(&[3], victim, attacker), elsewhere),
            // A runtime with a network stack of its own, or one that cannot be looked at.
            (bridge(&[1], nobody, attacker), Verdict::Good(Some(1))),
            (bridge(&[1], None, attacker), Verdict::Good(Some(1))),
            (link(victim), Verdict::Good(None)),
            (link(attacker), elsewhere),
            (link(None), Verdict::Good(None)),
            (Way::Other, Verdict::Good(None)),
        ];
        for (way, expected) in cases {
            assert_eq!(judge(VICTIM, &way), expected, "{way:?}");
        }
    }

    #[test]
    fn addresses_of_the_other_kind_say_nothing() {
        assert_eq!(judge(SIX, &link(Some(&[VICTIM]))), Verdict::Good(None));
        assert_eq!(judge(SIX, &link(Some(&[VICTIM, SIX]))), Verdict::Good(None));
    }
}
