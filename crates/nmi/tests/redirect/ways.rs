//! Which other ways are there for pods, and which of them are open?

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use podid_nmi::redirect::{Options, Redirect, Settings};

use crate::agent::{Agent, SETTINGS};
use crate::world::{
    BRIDGED, LISTENER, METADATA, NODE, NODE_IPV6, ROUTED, ROUTED_IPV6, WIRESERVER, World, ask, nmi_heard,
};

pub(crate) fn local_redirect_policy() {
    let world = World::new();
    world.listen(LISTENER);
    let options = Options { local_redirect_policy: true, ..SETTINGS.options };
    let mut agent = Agent::start_with(&world.node, async move || {
        Redirect::install(Settings { options, ..SETTINGS }).await
    })
    .expect("installed");
    // What such a policy does happens before the kernel's rules: the packet has another destination already.
    let sent_here = || [world.routed.call(LISTENER), world.bridged.call(LISTENER)];
    assert_eq!(sent_here(), nmi_heard());
    assert_eq!(world.heard_by_pods(), nmi_heard());
    let mut under_way = world.routed.connect(LISTENER).expect("connection");
    assert_eq!(ask(&mut under_way).expect("answer"), format!("nmi {ROUTED}"));
    agent.close().expect("closed");
    assert!(world.routed.meets_silence(LISTENER) && world.bridged.meets_silence(LISTENER));
    assert!(world.pods_meet_silence());
    assert_eq!(ask(&mut under_way).expect("answer after closing"), format!("nmi {ROUTED}"));
}

pub(crate) fn wireserver() {
    let world = World::new();
    world.listen(LISTENER);
    let everybody_reaches = |port| {
        let address = SocketAddrV4::new(WIRESERVER, port);
        assert_eq!(world.routed.call(address), Some(format!("wireserver {ROUTED}")), "without us");
        address
    };
    let (blocked, other) = ([80, 32526].map(everybody_reaches), everybody_reaches(53));
    let options = Options { block_wireserver: true, ..SETTINGS.options };
    let _agent = Agent::start_with(&world.node, async move || {
        Redirect::install(Settings { options, ..SETTINGS }).await
    })
    .expect("installed");
    for address in blocked {
        assert!(world.routed.meets_silence(address) && world.bridged.meets_silence(address), "{address}");
        assert_eq!(world.node.call(address), Some(format!("wireserver {NODE}")));
    }
    assert_eq!(world.bridged.call(other), Some(format!("wireserver {BRIDGED}")), "name resolution stays");
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

pub(crate) fn ipv6() {
    let world = World::new();
    let everywhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, LISTENER.port());
    world.listen(everywhere);
    let _agent = Agent::start(&world.node).expect("installed");
    world.give_routed_pod_ipv6();
    let port = |port| SocketAddr::from((NODE_IPV6, port));
    world.node.serve(port(9000), "reachable");
    assert_eq!(world.routed.call_any(port(9000)), Some(format!("reachable {ROUTED_IPV6}")));
    assert_eq!(world.routed.call_any(port(LISTENER.port())), None);
    // The IPv4 address in the clothes of IPv6, as programs with one kind of socket write it.
    let mapped = SocketAddr::from((METADATA.ip().to_ipv6_mapped(), METADATA.port()));
    assert_eq!(world.routed.call_any(mapped), Some(format!("nmi {ROUTED}")));
    assert_eq!(world.metadata_calls(), 0);
}
