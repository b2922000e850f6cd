//! Which way do packets for an address take, and who is at its end?
//!
//! The kernel is asked: for the route, the neighbour, the bridge's table of hardware addresses, and, with the
//! right to administrate the network of pods (`NET_ADMIN`), for the addresses in the namespace at the other end.

use std::io;
use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::verdict::{Behind, Way};
use crate::netlink::Netlink;

/// How often a table that changes while it is read is read again.
const ATTEMPTS: u8 = 3;

/// Asks the kernel.
pub(super) struct Surveyor(Netlink);

// === impl Surveyor ===

impl Surveyor {
    /// Sees the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self(Netlink::open_strict()?))
    }

    /// The way that packets for `address` take now.
    pub(super) async fn way(&mut self, address: IpAddr) -> io::Result<Way> {
        let Some(link) = self.link_towards(address).await? else { return Ok(Way::Other) };
        let told = self.link(link).await?;
        if !is_bridge(&told) {
            return Ok(Way::Link(self.behind(&told, address).await));
        }
        let Some(hardware) = self.hardware(link, address).await? else {
            return Ok(Way::Bridge { out: vec![], ports: vec![] });
        };
        let out = self.ports_towards(link, &hardware).await?;
        let mut ports = vec![];
        for port in self.ports(link).await? {
            ports.push((port.header.index, self.behind(&port, address).await));
        }
        Ok(Way::Bridge { out, ports })
    }

    /// The link on which `address` is a neighbour; none if it is not.
    async fn link_towards(&mut self, address: IpAddr) -> io::Result<Option<u32>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(address);
        question.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
        question.attributes = vec![RouteAttribute::Destination(address.into())];
        let RouteNetlinkMessage::NewRoute(route) =
            self.0.ask(RouteNetlinkMessage::GetRoute(question)).await?
        else {
            return Ok(None);
        };
        let direct = route.header.kind == RouteType::Unicast
            && !route
                .attributes
                .iter()
                .any(|attribute| matches!(attribute, RouteAttribute::Gateway(_) | RouteAttribute::Via(_)));
        Ok(route.attributes.into_iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(link) if direct => Some(link),
            _ => None,
        }))
    }

    async fn link(&mut self, index: u32) -> io::Result<LinkMessage> {
        let mut question = LinkMessage::default();
        question.header.index = index;
        match self.0.ask(RouteNetlinkMessage::GetLink(question)).await? {
            RouteNetlinkMessage::NewLink(link) => Ok(link),
            _ => Err(io::Error::other("the kernel was asked for a link and told of something else")),
        }
    }

    /// The hardware address that the kernel has for `address` on a link.
    async fn hardware(&mut self, link: u32, address: IpAddr) -> io::Result<Option<Vec<u8>>> {
        let mut question = NeighbourMessage::default();
        question.header.family = family(address);
        question.header.ifindex = link;
        let address = match address {
            IpAddr::V4(address) => NeighbourAddress::Inet(address),
            IpAddr::V6(address) => NeighbourAddress::Inet6(address),
        };
        question.attributes = vec![NeighbourAttribute::Destination(address)];
        match self.0.ask(RouteNetlinkMessage::GetNeighbour(question)).await {
            Ok(RouteNetlinkMessage::NewNeighbour(neighbour)) => Ok(hardware(&neighbour).map(<[u8]>::to_vec)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ports at which a bridge sends out what is for a hardware address.
    async fn ports_towards(&mut self, bridge: u32, address: &[u8]) -> io::Result<Vec<u32>> {
        let mut question = NeighbourMessage::default();
        question.header.family = AddressFamily::Bridge;
        question.attributes = vec![NeighbourAttribute::Controller(bridge)];
        let mut ports = vec![];
        for told in self.all(RouteNetlinkMessage::GetNeighbour(question)).await? {
            let RouteNetlinkMessage::NewNeighbour(entry) = told else { continue };
            let of_bridge = entry.attributes.contains(&NeighbourAttribute::Controller(bridge))
                && !entry.header.flags.contains(NeighbourFlags::Own);
            if of_bridge && hardware(&entry) == Some(address) && !ports.contains(&entry.header.ifindex) {
                ports.push(entry.header.ifindex);
            }
        }
        Ok(ports)
    }

    async fn ports(&mut self, bridge: u32) -> io::Result<Vec<LinkMessage>> {
        let mut question = LinkMessage::default();
        question.attributes = vec![LinkAttribute::Controller(bridge)];
        let told = self.all(RouteNetlinkMessage::GetLink(question)).await?;
        Ok(told
            .into_iter()
            .filter_map(|told| match told {
                RouteNetlinkMessage::NewLink(link)
                    if link.attributes.contains(&LinkAttribute::Controller(bridge)) =>
                {
                    Some(link)
                }
                _ => None,
            })
            .collect())
    }

    /// The addresses at the other end of a link; none if there is no other namespace, or it is closed to us.
    async fn behind(&mut self, link: &LinkMessage, like: IpAddr) -> Option<Behind> {
        let namespace = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::LinkNetNsId(id) => Some(*id),
            _ => None,
        })?;
        let mut question = AddressMessage::default();
        question.header.family = family(like);
        question.attributes = vec![AddressAttribute::TargetNetNsId(namespace)];
        match self.all(RouteNetlinkMessage::GetAddress(question)).await {
            Ok(told) => Some(Behind(told.iter().filter_map(own_address).collect())),
            Err(error) => {
                tracing::debug!(link = link.header.index, %error, "cannot see the addresses behind a link");
                None
            }
        }
    }

    async fn all(&mut self, question: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        for _ in 1..ATTEMPTS {
            match self.0.all(question.clone()).await {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
        self.0.all(question).await
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn is_bridge(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.contains(&LinkInfo::Kind(InfoKind::Bridge)),
        _ => false,
    })
}

fn hardware(neighbour: &NeighbourMessage) -> Option<&[u8]> {
    neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(hardware) => Some(hardware.as_slice()),
        _ => None,
    })
}

/// An address that is not one that every namespace has.
fn own_address(told: &RouteNetlinkMessage) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewAddress(told) = told else { return None };
    let found = |wanted_local: bool| {
        told.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) if wanted_local => Some(*address),
            AddressAttribute::Address(address) if !wanted_local => Some(*address),
            _ => None,
        })
    };
    // Where there are both, the second one is the other end's.
    let address = found(true).or_else(|| found(false))?;
    let common = match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    (!common).then_some(address)
}
