//! What does the kernel tell of neighbours and links?

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
};
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

/// The messages that matter here, by their numbers: RTM_DELLINK, RTM_NEWNEIGH and RTM_DELNEIGH.
const NEEDED: [u16; 3] = [17, 28, 29];

/// How long a socket that fails again and again is left alone.
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
            let begun = Instant::now();
            if let Err(error) = self.read().await {
                // Too much at once, or a broken socket: from now on anything may have changed.
                tracing::warn!(%error, "changes of neighbours were missed; asking the Kubernetes API about each caller once");
                self.doubt_all();
                if begun.elapsed() < AFTER_FAILURE {
                    sleep(AFTER_FAILURE).await;
                }
                self.socket = reopen().await;
                // What was settled since is settled by nobody who was told of the changes since.
                self.doubt_all();
            }
        }
    }

    fn doubt_all(&self) {
        self.neighbours.change(|memory| memory.missed(Instant::now()));
    }

    /// Asks for the table as it is, and takes in the answer and everything that comes after it.
    async fn read(&mut self) -> io::Result<()> {
        self.socket.send_to(&question(), &SocketAddr::new(0, 0)).await?;
        loop {
            let (packet, sender) = self.socket.recv_from_full().await?;
            // Any process may send to a netlink socket; only the kernel has port 0.
            if sender.port_number() == 0 {
                self.take_in(&packet)?;
            }
        }
    }

    /// Takes in the messages of a packet. An error means that some change may not have been told.
    fn take_in(&self, mut packet: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        while !packet.is_empty() {
            let head = NetlinkBuffer::new_checked(packet).map_err(unreadable)?;
            match NetlinkMessage::<RouteNetlinkMessage>::deserialize(packet) {
                Ok(message) => self.hear(message, now)?,
                Err(error) if NEEDED.contains(&head.message_type()) => return Err(unreadable(error)),
                // Of no concern here, whatever it says.
                Err(_) => {}
            }
            let length = usize::try_from(head.length()).unwrap_or(usize::MAX);
            // Each message starts at a multiple of four.
            packet = packet.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }

    fn hear(&self, message: NetlinkMessage<RouteNetlinkMessage>, now: Instant) -> io::Result<()> {
        if message.header.flags & NLM_F_DUMP_INTR != 0 {
            return Err(io::Error::other("the table changed while it was read"));
        }
        match message.payload {
            NetlinkPayload::InnerMessage(told) => self.learn(&told, now),
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::Overrun(_) => return Err(io::Error::other("messages were lost")),
            _ => {}
        }
        Ok(())
    }

    fn learn(&self, told: &RouteNetlinkMessage, now: Instant) {
        match told {
            RouteNetlinkMessage::NewNeighbour(entry) if entry.header.family == AddressFamily::Bridge => {
                if let (Some(place), port) = (place_behind(entry), entry.header.ifindex) {
                    self.neighbours.change(|memory| memory.learned(&place, port, now));
                }
            }
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

async fn reopen() -> TokioSocket {
    loop {
        match open() {
            Ok(socket) => return socket,
            Err(error) => tracing::error!(%error, "cannot listen for changes of neighbours, trying again"),
        }
        sleep(AFTER_FAILURE).await;
    }
}

fn unreadable(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a notice of the kernel cannot be read: {error}"))
}

fn open() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.socket_mut().bind_auto()?;
    for group in [LINKS, NEIGHBOURS] {
        socket.socket_mut().add_membership(group)?;
    }
    Ok(socket)
}

/// Which neighbours there are, with IPv4 and IPv6 addresses.
fn question() -> Vec<u8> {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.family = AddressFamily::Unspec;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(neighbour));
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// The address; none if no pod can have it.
fn address(neighbour: &NeighbourMessage) -> Option<IpAddr> {
    neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        // Link-local ones are the same on many links.
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address))
            if !address.is_multicast() && !address.is_unicast_link_local() =>
        {
            Some(IpAddr::V6(*address))
        }
        _ => None,
    })
}

/// The place; none while the kernel does not know it.
fn place(neighbour: &NeighbourMessage) -> Option<Place> {
    Some(Place { link: neighbour.header.ifindex, hardware: hardware(neighbour)? })
}

/// The place that an entry in a bridge's table is about.
fn place_behind(entry: &NeighbourMessage) -> Option<Place> {
    let bridge = entry.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Controller(bridge) => Some(*bridge),
        _ => None,
    })?;
    Some(Place { link: bridge, hardware: hardware(entry)? })
}

fn hardware(neighbour: &NeighbourMessage) -> Option<Vec<u8>> {
    neighbour.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(hardware) => Some(hardware.clone()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower() -> (Neighbours, Follower) {
        Neighbours::watched().unwrap()
    }

    fn packet(message: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    fn neighbour(last: u8) -> RouteNetlinkMessage {
        let mut neighbour = NeighbourMessage::default();
        neighbour.header.family = AddressFamily::Inet;
        neighbour.header.ifindex = 7;
        let address = NeighbourAddress::Inet([10, 0, 0, last].into());
        neighbour.attributes =
            vec![NeighbourAttribute::Destination(address), NeighbourAttribute::LinkLayerAddress(vec![2; 6])];
        RouteNetlinkMessage::NewNeighbour(neighbour)
    }

    #[tokio::test]
    async fn all_messages_of_a_packet_are_taken_in() {
        let (neighbours, follower) = follower();
        let packet = [packet(neighbour(1), 0), packet(neighbour(2), 0)].concat();
        follower.take_in(&packet).unwrap();
        assert!([1, 2].into_iter().all(|last| neighbours.knows([10, 0, 0, last].into())));
    }

    #[tokio::test]
    async fn what_cannot_be_read_or_was_interrupted_is_an_error_and_not_passed_over() {
        let (_, follower) = follower();
        let whole = packet(neighbour(1), 0);
        let mut broken = whole.clone();
        // The length of the first attribute, which is beyond the message's end now.
        broken[28] = 0xff;
        for packet in
            [&broken, &whole[..whole.len() - 1], &whole[..3], &packet(neighbour(1), NLM_F_DUMP_INTR)]
        {
            assert!(follower.take_in(packet).is_err(), "{packet:?}");
        }
        // Somebody else's message that cannot be read hides none that comes after it.
        broken[4] = 24;
        follower.take_in(&[broken, whole].concat()).unwrap();
        assert!(follower.neighbours.knows([10, 0, 0, 1].into()));
    }
}
