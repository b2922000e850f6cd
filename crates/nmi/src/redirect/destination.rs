//! Which address of the node is redirected traffic sent to?

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use super::Options;

/// Whether the kernel lets packets from a link reach 127.0.0.0/8, on all links.
const ROUTE_LOCALNET: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";

/// What the node's network looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Packets from pods may be sent to 127.0.0.1; kube-proxy usually switched that on.
    pub route_localnet: bool,
    /// The node's address on its way to the metadata service.
    pub node_address: Option<Ipv4Addr>,
}

/// Where NMI listens and where pods are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// 127.0.0.1: nobody outside the node can even address it.
    Loopback,
    /// The node's own address; the port is closed to everything but redirected traffic.
    Node(Ipv4Addr),
    /// There is no address to send pods to: the node has no IPv4 route to the metadata service.
    Nowhere,
}

/// Looks at the network namespace of the calling thread. Nothing is changed and nothing is sent.
pub fn detect(metadata: Ipv4Addr) -> Surroundings {
    Surroundings {
        route_localnet: fs::read_to_string(ROUTE_LOCALNET).is_ok_and(|value| value.trim() == "1"),
        node_address: source_address(metadata).ok(),
    }
}

/// Decides by what was found. 127.0.0.1 is used only where it already works; switching `route_localnet` on would
/// open the node's loopback to its neighbours as soon as somebody removes our rules.
///
/// A local redirect policy knows pods by their address, which for NMI is the node's.
pub fn decide(surroundings: Surroundings, options: Options) -> Destination {
    match surroundings {
        Surroundings { route_localnet: true, .. } if !options.local_redirect_policy => Destination::Loopback,
        Surroundings { node_address: Some(address), .. } => Destination::Node(address),
        Surroundings { node_address: None, .. } => Destination::Nowhere,
    }
}

// === impl Destination ===

impl Destination {
    /// The address to listen on.
    pub fn address(self) -> Option<Ipv4Addr> {
        match self {
            Self::Loopback => Some(Ipv4Addr::LOCALHOST),
            Self::Node(address) => Some(address),
            Self::Nowhere => None,
        }
    }
}

/// Connecting a datagram socket makes the kernel choose a source address, without sending anything.
fn source_address(towards: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((towards, 80))?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(address) if !address.is_loopback() && !address.is_unspecified() => Ok(address),
        address => Err(io::Error::other(format!("{address} is no address that pods can be sent to"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_only_where_it_already_works() {
        let node = Ipv4Addr::new(10, 240, 0, 4);
        let cases = [
            (true, Some(node), Destination::Loopback),
            (true, None, Destination::Loopback),
            (false, Some(node), Destination::Node(node)),
            (false, None, Destination::Nowhere),
        ];
        for (route_localnet, node_address, expected) in cases {
            let surroundings = Surroundings { route_localnet, node_address };
            assert_eq!(decide(surroundings, Options::default()), expected);
        }
    }

    #[test]
    fn a_local_redirect_policy_needs_the_nodes_address() {
        let options = Options { local_redirect_policy: true, ..Options::default() };
        let node = Ipv4Addr::new(10, 240, 0, 4);
        let found = |node_address| decide(Surroundings { route_localnet: true, node_address }, options);
        assert_eq!(found(Some(node)), Destination::Node(node));
        assert_eq!(found(None), Destination::Nowhere);
    }
}
