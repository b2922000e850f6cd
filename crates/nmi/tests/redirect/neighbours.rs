//! Is it noticed when an address leads to another pod than before?

use std::net::Ipv4Addr;

use crate::agent::{Agent, follow_neighbours};
use crate::cases::until;
use crate::world::{BRIDGED, LISTENER, METADATA, ROUTED, World, nmi_heard};

pub(crate) fn moved_address() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    let neighbours = follow_neighbours(&world.node);
    assert_eq!(world.heard_by_pods(), nmi_heard());
    for address in [ROUTED, BRIDGED] {
        until(|| neighbours.knows(address.into()), || format!("{address} is known"));
    }
    let doubt = |address: Ipv4Addr| neighbours.doubt(address.into());
    assert_eq!((doubt(ROUTED), doubt(BRIDGED)), (None, None));

    let successor = world.reuse_bridged_address();
    assert_eq!(
        successor.call(METADATA),
        Some(format!("nmi {BRIDGED}")),
        "its address is all that we are told"
    );
    until(|| doubt(BRIDGED).is_some(), || "the reused address is doubted".to_owned());
    let first = doubt(BRIDGED).expect("doubted");
    neighbours.settle(BRIDGED.into(), first);
    assert_eq!(successor.call(METADATA), Some(format!("nmi {BRIDGED}")));
    assert_eq!(world.routed.call(METADATA), Some(format!("nmi {ROUTED}")));
    assert_eq!((doubt(ROUTED), doubt(BRIDGED)), (None, None), "the same neighbour again");
}

pub(crate) fn link_gone() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    // What the kernel knew before is known, too.
    let neighbours = follow_neighbours(&world.node);
    until(|| neighbours.knows(ROUTED.into()), || "the routed address is known".to_owned());
    world.unplug_routed();
    until(|| neighbours.doubt(ROUTED.into()).is_some(), || "the routed address is doubted".to_owned());
    assert_eq!(world.bridged.call(METADATA), Some(format!("nmi {BRIDGED}")));
    assert_eq!(neighbours.doubt(BRIDGED.into()), None);
}
