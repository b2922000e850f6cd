//! Is it noticed when an address leads to another pod than the one that was given it?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU8, Ordering};

use podid_core::ids::Uid;
use podid_nmi::neighbour::{Astray, Neighbours, Standing, Verdict};

use crate::agent::{Agent, follow_neighbours, runtime};
use crate::cases::until;
use crate::world::{
    BESIDE, BRIDGED, LISTENER, METADATA, Namespace, ROUTED, ROUTED_IPV6, World, hardware_address, nmi_heard,
};

/// What is asked about an address.
trait Looked {
    /// Whether it changed, and nobody has confirmed it since.
    fn changed(&self, address: impl Into<IpAddr>) -> bool;
    fn verdict(&self, address: impl Into<IpAddr>) -> Verdict;
    /// Takes it as it is.
    fn trust(&self, address: impl Into<IpAddr>);
}

impl Looked for Neighbours {
    fn changed(&self, address: impl Into<IpAddr>) -> bool {
        self.doubt(address.into()).is_some_and(|doubt| doubt.since.is_some())
    }

    fn verdict(&self, address: impl Into<IpAddr>) -> Verdict {
        runtime().block_on(self.survey(address.into())).expect("the kernel answers")
    }

    fn trust(&self, address: impl Into<IpAddr>) {
        let address = address.into();
        let Verdict::Good(port) = self.verdict(address) else {
            panic!("{address}: {:?}", self.verdict(address))
        };
        let doubt = self.doubt(address).expect("never looked at");
        let standing = self.settle(address, doubt, &Uid::new(address.to_string()), port);
        assert!(matches!(standing, Standing::Sure(_)), "{standing:?}");
    }
}

/// Waits until everything that the kernel has told so far has been taken in: it tells in order.
fn caught_up(world: &World, neighbours: &Neighbours) {
    static MARKS: AtomicU8 = AtomicU8::new(0);
    let mark = Ipv4Addr::new(10, 250, 0, MARKS.fetch_add(1, Ordering::SeqCst));
    world.mark(mark);
    until(|| neighbours.knows(mark.into()), || "the notices are read".to_owned());
}

/// A node with two pods behind its bridge, all of whom have been met.
fn two_neighbours() -> (World, Namespace, Neighbours, Agent) {
    let world = World::new();
    world.listen(LISTENER);
    let agent = Agent::start(&world.node).expect("installed");
    let neighbours = follow_neighbours(&world.node);
    let beside = world.beside();
    assert_eq!(world.heard_by_pods(), nmi_heard());
    assert_eq!(beside.call(METADATA), Some(format!("nmi {BESIDE}")));
    caught_up(&world, &neighbours);
    for address in [ROUTED, BRIDGED, BESIDE] {
        assert!(neighbours.knows(address.into()), "{address}");
        neighbours.trust(address);
    }
    (world, beside, neighbours, agent)
}

pub(crate) fn claimed() {
    let (world, beside, neighbours, _agent) = two_neighbours();
    // With the right to administrate its network (NET_ADMIN) it gives itself the address.
    beside.take_address(BRIDGED);
    let hardware = hardware_address(&beside, "eth0");
    world.redirect_bridged_to(&hardware);
    assert_eq!(
        beside.call_from(BRIDGED, METADATA),
        Some(format!("nmi {BRIDGED}")),
        "its address is all that we are told"
    );
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(BRIDGED));
    assert_eq!(neighbours.verdict(BRIDGED), Verdict::Astray(Astray::Twice));
    // With the right to make up packets only (NET_RAW) its own namespace does not have the address.
    beside.leave_address(BRIDGED);
    assert_eq!(neighbours.verdict(BRIDGED), Verdict::Astray(Astray::Elsewhere));
    // Its own address, at the same hardware address, is still its own.
    assert_eq!(neighbours.verdict(BESIDE), Verdict::Good(Some(world.port("beside"))));
    assert!(!neighbours.changed(BESIDE) && !neighbours.changed(ROUTED));
    // When the owner speaks again it is as before.
    world.redirect_bridged_to(&hardware_address(&world.bridged, "eth0"));
    assert_eq!(world.heard_by_pods(), nmi_heard());
    caught_up(&world, &neighbours);
    neighbours.trust(BRIDGED);
    assert_eq!(world.heard_by_pods(), nmi_heard());
    caught_up(&world, &neighbours);
    assert_eq!(neighbours.doubt(BRIDGED.into()), None);
}

pub(crate) fn disguised() {
    let (world, beside, neighbours, _agent) = two_neighbours();
    beside.take_hardware(hardware_address(&world.bridged, "eth0"));
    // Whatever it sends teaches the bridge that the hardware address is at its port, until the other one speaks.
    until(
        || {
            beside.meets_silence(METADATA);
            neighbours.verdict(BRIDGED) == Verdict::Astray(Astray::Elsewhere)
        },
        || "the address leads to the wrong pod".to_owned(),
    );
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(BRIDGED) && !neighbours.changed(ROUTED));
}

pub(crate) fn flooded() {
    let (world, _beside, neighbours, _agent) = two_neighbours();
    world.redirect_bridged_to(&[2, 0, 0, 0, 0, 99]);
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(BRIDGED));
    assert_eq!(neighbours.verdict(BRIDGED), Verdict::Astray(Astray::Everywhere));
}

pub(crate) fn ipv6() {
    let world = World::new();
    let neighbours = follow_neighbours(&world.node);
    world.give_routed_pod_ipv6();
    assert_eq!(neighbours.verdict(ROUTED_IPV6), Verdict::Good(None));
    world.learn_ipv6(ROUTED_IPV6, &[2, 0, 0, 0, 0, 1]);
    caught_up(&world, &neighbours);
    assert!(neighbours.knows(ROUTED_IPV6.into()));
    neighbours.trust(ROUTED_IPV6);
    world.learn_ipv6(ROUTED_IPV6, &[2, 0, 0, 0, 0, 2]);
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(ROUTED_IPV6));
    // The link belongs to a pod that was never given this one.
    let foreign = Ipv6Addr::from(ROUTED_IPV6.to_bits() + 1);
    assert_eq!(neighbours.verdict(foreign), Verdict::Astray(Astray::Elsewhere));
}

pub(crate) fn moved_address() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    let neighbours = follow_neighbours(&world.node);
    assert_eq!(world.heard_by_pods(), nmi_heard());
    caught_up(&world, &neighbours);
    for address in [ROUTED, BRIDGED] {
        assert!(
            neighbours.doubt(address.into()).is_some() && !neighbours.changed(address),
            "never looked at"
        );
        neighbours.trust(address);
    }

    let successor = world.reuse_bridged_address();
    assert_eq!(
        successor.call(METADATA),
        Some(format!("nmi {BRIDGED}")),
        "its address is all that we are told"
    );
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(BRIDGED) && !neighbours.changed(ROUTED));
    neighbours.trust(BRIDGED);
    assert_eq!(successor.call(METADATA), Some(format!("nmi {BRIDGED}")));
    assert_eq!(world.routed.call(METADATA), Some(format!("nmi {ROUTED}")));
    caught_up(&world, &neighbours);
    for address in [ROUTED, BRIDGED] {
        assert_eq!(neighbours.doubt(address.into()), None, "the same neighbour again");
    }
}

pub(crate) fn link_gone() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    // What the kernel knew before is known, too.
    let neighbours = follow_neighbours(&world.node);
    caught_up(&world, &neighbours);
    for address in [ROUTED, BRIDGED] {
        neighbours.trust(address);
    }
    world.unplug_routed();
    caught_up(&world, &neighbours);
    assert!(neighbours.changed(ROUTED));
    assert_eq!(world.bridged.call(METADATA), Some(format!("nmi {BRIDGED}")));
    assert_eq!(neighbours.doubt(BRIDGED.into()), None);
}
