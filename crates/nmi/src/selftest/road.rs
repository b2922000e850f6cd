//! How does a connection come into the node from outside, when both of its ends are on the node?
//!
//! Over a pair of links, as a pod's does: what is sent into one end arrives at the other, and walks through the
//! kernel's incoming packet path like a packet of a pod. The caller's address belongs to nobody and is known to
//! the routes of this road only; a connection tracking zone of its own keeps the outward half of the way apart
//! from the inward half, which would otherwise be taken for the same connection and not be looked at again.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink::Netlink;
use crate::redirect::Zone;

/// The caller: the address that is set aside for those who have none (RFC 7600). No pod has it.
pub(super) const CALLER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// The caller's end, and the node's.
const OUTSIDE: &str = "podid-test-out";
const INSIDE: &str = "podid-test-in";
const OUTSIDE_ADDRESS: [u8; 6] = [0x02, 0x70, 0x6f, 0x64, 0x69, 0x00];
const INSIDE_ADDRESS: [u8; 6] = [0x02, 0x70, 0x6f, 0x64, 0x69, 0x01];

/// The routing table that is the caller's view of the world, and where it is consulted.
const TABLE: u32 = 25790;
const PRIORITY: u32 = 25790;

/// The loopback device, which stands for "sent by this node itself" in a rule.
const LOOPBACK: &str = "lo";

/// The road while it is open.
pub(super) struct Road {
    netlink: Netlink,
    zone: Option<Zone>,
}

// === impl Road ===

impl Road {
    /// Opens a road to `metadata`, after removing what a killed process may have left. Close it in any case.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { netlink: Netlink::open()?, zone: None })
    }

    /// Makes it passable for connections from [`CALLER`] to `metadata`. What was made stays when this fails.
    pub(super) async fn open(&mut self, metadata: Ipv4Addr) -> io::Result<()> {
        // What a process left that was killed.
        self.close().await?;
        self.netlink.make(links()).await?;
        let outside = self.index(OUTSIDE).await?;
        let inside = self.index(INSIDE).await?;
        for link in [outside, inside] {
            self.netlink.change(up(link)).await?;
        }
        self.zone = Some(Zone::open(outside).await?);
        for message in [
            neighbour(outside, metadata, INSIDE_ADDRESS),
            neighbour(inside, CALLER, OUTSIDE_ADDRESS),
            route(TABLE, metadata, RouteType::Unicast, outside),
            route(TABLE, CALLER, RouteType::Local, outside),
            route(u32::from(RouteHeader::RT_TABLE_MAIN), CALLER, RouteType::Unicast, inside),
        ] {
            self.netlink.make(message).await?;
        }
        for rule in rules() {
            self.netlink.make(RouteNetlinkMessage::NewRule(rule)).await?;
        }
        Ok(())
    }

    /// Removes all that was made; routes and neighbours go with the links.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        for rule in rules() {
            unless_gone(self.netlink.change(RouteNetlinkMessage::DelRule(rule)).await)?;
        }
        unless_gone(self.netlink.change(RouteNetlinkMessage::DelLink(named(OUTSIDE))).await)?;
        match self.zone.take() {
            Some(zone) => zone.close().await,
            None => Ok(()),
        }
    }

    async fn index(&mut self, name: &str) -> io::Result<u32> {
        match self.netlink.ask(RouteNetlinkMessage::GetLink(named(name))).await? {
            RouteNetlinkMessage::NewLink(link) => Ok(link.header.index),
            _ => Err(io::Error::other(format!("the kernel has no answer about the link {name}"))),
        }
    }
}

/// ENOENT is said of rules, ENODEV of links.
fn unless_gone(outcome: io::Result<()>) -> io::Result<()> {
    const ENOENT: i32 = 2;
    const ENODEV: i32 = 19;
    match outcome {
        Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ENODEV)) => Ok(()),
        outcome => outcome,
    }
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}

/// Both ends. They have hardware addresses from the beginning, so that no other program gives them some.
fn links() -> RouteNetlinkMessage {
    let end = |name, address: [u8; 6]| {
        let mut link = named(name);
        link.attributes.push(LinkAttribute::Address(address.to_vec()));
        link
    };
    let mut outside = end(OUTSIDE, OUTSIDE_ADDRESS);
    let inside = InfoData::Veth(InfoVeth::Peer(end(INSIDE, INSIDE_ADDRESS)));
    outside
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(inside)]));
    RouteNetlinkMessage::NewLink(outside)
}

fn up(link: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = link;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

fn neighbour(link: u32, address: Ipv4Addr, hardware: [u8; 6]) -> RouteNetlinkMessage {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.family = AddressFamily::Inet;
    neighbour.header.ifindex = link;
    neighbour.header.state = NeighbourState::Permanent;
    neighbour.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(hardware.to_vec()),
    ];
    RouteNetlinkMessage::NewNeighbour(neighbour)
}

fn route(table: u32, to: Ipv4Addr, kind: RouteType, link: u32) -> RouteNetlinkMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = 32;
    route.header.protocol = RouteProtocol::Static;
    route.header.scope = if kind == RouteType::Local { RouteScope::Host } else { RouteScope::Link };
    route.header.kind = kind;
    route.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet(to)),
        RouteAttribute::Oif(link),
        RouteAttribute::Table(table),
    ];
    RouteNetlinkMessage::NewRoute(route)
}

/// What the node itself sends as the caller, and what arrives at the caller's end, is the caller's. What arrives at
/// the node's end is not: it is routed like a pod's.
fn rules() -> [RuleMessage; 2] {
    let rule = |selectors: &[RuleAttribute]| {
        let mut rule = RuleMessage::default();
        rule.header.family = AddressFamily::Inet;
        rule.header.action = RuleAction::ToTable;
        rule.attributes = vec![RuleAttribute::Priority(PRIORITY), RuleAttribute::Table(TABLE)];
        rule.attributes.extend_from_slice(selectors);
        rule
    };
    let from_caller =
        [RuleAttribute::Source(IpAddr::V4(CALLER)), RuleAttribute::Iifname(LOOPBACK.to_owned())];
    let mut sent = rule(&from_caller);
    sent.header.src_len = 32;
    [sent, rule(&[RuleAttribute::Iifname(OUTSIDE.to_owned())])]
}
