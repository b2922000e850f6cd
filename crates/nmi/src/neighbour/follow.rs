//! What does the kernel tell of neighbours and links?

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use podid_runtime::shutdown::Shutdown;
use tokio::time::{Instant, sleep};

use super::Neighbours;
use super::memory::Place;

/// The multicast groups that hear of links and of neighbours.
const LINKS: u32 = 1;
const NEIGHBOURS: u32 = 3;

/// How long a socket that fails is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Reads what the kernel tells.
pub struct Follower {
    socket: TokioSocket,
    neighbours: Neighbours,
}

// === impl Follower ===

impl Follower {
    pub(super) fn open(neighbours: Neighbours) -> io::Result<Self> {
        Ok(Self { socket: open()?, neighbours })
    }

    /// Runs until the shutdown begins.
    pub async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.begun() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        loop {
            if let Err(error) = self.read().await {
                // Too much at once, or a broken socket: from now on anything may have changed.
                tracing::warn!(%error, "changes of neighbours were missed; asking the Kubernetes API about each caller once");
                self.neighbours.change(|memory| memory.missed(Instant::now()));
                sleep(AFTER_FAILURE).await;
                match open() {
                    Ok(socket) => self.socket = socket,
                    Err(error) => tracing::error!(%error, "cannot listen for changes of neighbours"),
                }
            }
        }
    }

    /// Asks for the table as it is, and takes in the answer and everything that comes after it.
    async fn read(&mut self) -> io::Result<()> {
        self.socket.send_to(&question(), &SocketAddr::new(0, 0)).await?;
        loop {
            let (packet, sender) = self.socket.recv_from_full().await?;
            // Any process may send to a netlink socket; only the kernel has port 0.
            if sender.port_number() == 0 {
                self.take_in(&packet);
            }
        }
    }

    fn take_in(&self, mut packet: &[u8]) {
        let now = Instant::now();
        while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(packet) {
            let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
            if let NetlinkPayload::InnerMessage(told) = message.payload {
                self.learn(&told, now);
            }
            // Each message starts at a multiple of four.
            packet = packet.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
        }
    }

    fn learn(&self, told: &RouteNetlinkMessage, now: Instant) {
        match told {
            RouteNetlinkMessage::NewNeighbour(neighbour) => {
                if let (Some(address), Some(place)) = (address(neighbour), place(neighbour)) {
                    self.neighbours.change(|memory| memory.seen(address, place, now));
                }
            }
            RouteNetlinkMessage::DelNeighbour(neighbour) => {
                if let Some(address) = address(neighbour) {
                    self.neighbours.change(|memory| memory.lost(address));
                }
            }
            RouteNetlinkMessage::DelLink(link) => {
                self.neighbours.change(|memory| memory.link_gone(link.header.index, now));
            }
            _ => {}
        }
    }
}

fn open() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.socket_mut().bind_auto()?;
    for group in [LINKS, NEIGHBOURS] {
        socket.socket_mut().add_membership(group)?;
    }
    Ok(socket)
}

/// Which neighbours there are.
fn question() -> Vec<u8> {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.family = AddressFamily::Inet;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(neighbour));
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn address(neighbour: &NeighbourMessage) -> Option<IpAddr> {
    neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        _ => None,
    })
}

/// The place; none while the kernel does not know it.
fn place(neighbour: &NeighbourMessage) -> Option<Place> {
    let hardware = neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(hardware) => Some(hardware.clone()),
        _ => None,
    })?;
    Some(Place { link: neighbour.header.ifindex, hardware })
}
