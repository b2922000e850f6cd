//! How are the data centre, its nodes and their pods joined together?

use std::net::Ipv4Addr;

use super::addresses::{
    GATEWAY, METADATA, POD_PREFIX, ROUTED_NEXT_HOP, bridge_address, link_name, node_address, pod_network,
};
use super::links::Links;
use super::{Error, Namespace};

/// The name of a node's or pod's own end of its link.
const INSIDE: &str = "eth0";

/// The bridge of a bridged node.
const BRIDGE: &str = "pods0";

/// How a node connects its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStyle {
    /// The node's ends of the links have no address and each pod has a /32 route, as with Azure CNI or Calico.
    Routed,
    /// The pods' links are ports of a bridge that has the first address of the pod network, as with kubenet.
    Bridged,
}

/// The data centre's network: the simulated Azure's addresses and the routes between nodes.
#[derive(Debug)]
pub struct Fabric {
    namespace: Namespace,
}

/// A node: a namespace with one address, a link to the fabric, and links to its pods.
#[derive(Clone, Debug)]
pub struct Node {
    number: u8,
    style: NodeStyle,
    namespace: Namespace,
}

// === impl Fabric ===

impl Fabric {
    /// Turns the calling thread's namespace into the data centre, with the metadata service's address, the
    /// gateway's, and those of `azure`.
    pub fn build(azure: &[Ipv4Addr]) -> Result<Self, Error> {
        let namespace =
            Namespace::current().map_err(|error| Error::new("open the current network namespace", error))?;
        Links::of(&namespace, async |links| {
            let loopback = links.find("lo").await?.index;
            links.up(loopback, false).await?;
            // The first one is what the data centre calls from.
            for address in [GATEWAY, METADATA].iter().chain(azure) {
                links.add_address(loopback, *address, 32).await?;
            }
            Ok(())
        })?;
        Ok(Self { namespace })
    }

    /// The data centre's namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Adds node `number` (1 to 253), reachable at once.
    pub fn add_node(&self, number: u8, style: NodeStyle) -> Result<Node, Error> {
        if number == 0 || number >= 254 {
            return Err(Error::Conflict(format!("node number {number} is not between 1 and 253")));
        }
        let namespace =
            Namespace::new().map_err(|error| Error::new("create a network namespace for a node", error))?;
        let uplink = uplink_name(number);
        let gateway_mac = Links::of(&self.namespace, async |links| {
            links.add_pair(&uplink, &namespace, INSIDE).await?;
            let link = links.find(&uplink).await?;
            links.up(link.index, true).await?;
            links.add_route(node_address(number), 32, link.index).await?;
            links.add_route_via(pod_network(number), POD_PREFIX, node_address(number), link.index).await?;
            Ok(link.mac)
        })?;
        Links::of(&namespace, async |links| {
            let loopback = links.find("lo").await?.index;
            links.up(loopback, false).await?;
            let link = links.find(INSIDE).await?.index;
            links.add_address(link, node_address(number), 32).await?;
            links.up(link, true).await?;
            // Written down, because hosts set up for load balancing (`arp_ignore`) do not answer for an address
            // of their loopback device, and new namespaces inherit that.
            links.add_neighbour(link, GATEWAY, &gateway_mac).await?;
            links.add_route_via(Ipv4Addr::UNSPECIFIED, 0, GATEWAY, link).await?;
            if style == NodeStyle::Bridged {
                links.add_bridge(BRIDGE, [0x02, 0x42, 10, 244, number, 1]).await?;
                let bridge = links.find(BRIDGE).await?.index;
                links.add_address(bridge, bridge_address(number), POD_PREFIX).await?;
                links.up(bridge, true).await?;
            }
            Ok(())
        })?;
        Ok(Node { number, style, namespace })
    }

    /// Unplugs a node. Its namespace ends with its last process and its last [`Node`].
    pub fn remove_node(&self, number: u8) -> Result<(), Error> {
        Links::of(&self.namespace, async |links| links.remove(&uplink_name(number)).await)
    }
}

// === impl Node ===

impl Node {
    /// The node's namespace, in which the node agent runs.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The node's address.
    pub fn address(&self) -> Ipv4Addr {
        node_address(self.number)
    }

    /// How the node connects its pods.
    pub fn style(&self) -> NodeStyle {
        self.style
    }

    /// Adds a pod with this address and returns its namespace, reachable at once.
    pub fn add_pod(&self, address: Ipv4Addr) -> Result<Namespace, Error> {
        let pod =
            Namespace::new().map_err(|error| Error::new("create a network namespace for a pod", error))?;
        let name = link_name(address);
        let node_mac = Links::of(&self.namespace, async |links| {
            links.add_pair(&name, &pod, INSIDE).await?;
            let link = links.find(&name).await?;
            match self.style {
                NodeStyle::Routed => {
                    links.up(link.index, true).await?;
                    links.add_route(address, 32, link.index).await?;
                }
                NodeStyle::Bridged => {
                    links.plug(link.index, links.find(BRIDGE).await?.index).await?;
                    links.up(link.index, false).await?;
                }
            }
            Ok(link.mac)
        })?;
        Links::of(&pod, async |links| {
            let loopback = links.find("lo").await?.index;
            links.up(loopback, false).await?;
            let link = links.find(INSIDE).await?.index;
            links.up(link, false).await?;
            match self.style {
                NodeStyle::Routed => {
                    links.add_address(link, address, 32).await?;
                    links.add_neighbour(link, ROUTED_NEXT_HOP, &node_mac).await?;
                    links.add_route_via(Ipv4Addr::UNSPECIFIED, 0, ROUTED_NEXT_HOP, link).await
                }
                NodeStyle::Bridged => {
                    links.add_address(link, address, POD_PREFIX).await?;
                    links.add_route_via(Ipv4Addr::UNSPECIFIED, 0, bridge_address(self.number), link).await
                }
            }
        })?;
        Ok(pod)
    }

    /// Unplugs a pod. Its namespace ends with its last process and its last [`Namespace`].
    pub fn remove_pod(&self, address: Ipv4Addr) -> Result<(), Error> {
        Links::of(&self.namespace, async |links| links.remove(&link_name(address)).await)
    }
}

/// The name of the fabric's end of a node's link.
fn uplink_name(number: u8) -> String {
    format!("node{number}")
}
