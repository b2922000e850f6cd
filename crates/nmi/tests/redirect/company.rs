//! Are rules of other programs in the way, and do they stay as they are?

use std::net::SocketAddrV4;

use podid_nmi::redirect::{Options, Redirect, Settings};

use crate::agent::{Agent, SETTINGS, clean_up};
use crate::intruder::{
    Damage, add_leftover, add_nat, add_original, damage, delete_in_nat, dnat_everything, flush_in_nat,
};
use crate::world::{BRIDGED, LISTENER, METADATA, NODE, ROUTED, World, nmi_heard};

pub(crate) fn leftover() {
    let world = World::new();
    world.listen(LISTENER);
    let elsewhere = SocketAddrV4::new(NODE, 2600);
    world.node.serve(elsewhere, "leftover");
    add_leftover(&world.node, dnat_everything(elsewhere)).expect("leftover");
    assert_eq!(world.routed.call(METADATA), Some(format!("leftover {ROUTED}")));
    let _agent = Agent::start(&world.node).expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

pub(crate) fn original_removed() {
    let world = World::new();
    world.listen(LISTENER);
    let elsewhere = SocketAddrV4::new(NODE, 2600);
    world.node.serve(elsewhere, "leftover");
    add_original(&world.node, elsewhere).expect("leftover");
    let by_leftover = Some(format!("leftover {ROUTED}"));
    assert_eq!(world.routed.call(METADATA), by_leftover);
    // It never sees a packet, but it is still there.
    let agent = Agent::start(&world.node).expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    drop(agent);
    assert!(clean_up(&world.node).expect("removed"));
    assert_eq!(world.routed.call(METADATA), by_leftover);

    let options = Options { cleanup_original: true, ..SETTINGS.options };
    let start = || {
        Agent::start_with(&world.node, async move || {
            Redirect::install(Settings { options, ..SETTINGS }).await
        })
    };
    let agent = start().expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    drop(agent);
    drop(start().expect("nothing is left to remove"));
    assert!(clean_up(&world.node).expect("removed"));
    assert_eq!(world.routed.call(METADATA), Some(format!("imds {ROUTED}")));
    assert!(delete_in_nat(&world.node, "aad-metadata").is_err(), "the chain is gone");
    // What is not the original's is as it was: the chain, and the jump that keeps it from being deleted.
    assert!(delete_in_nat(&world.node, "KUBE-SERVICES").is_err(), "in use");
    flush_in_nat(&world.node, "KUBE-SERVICES").expect("there");
}

pub(crate) fn kube_proxy() {
    let world = World::new();
    world.listen(LISTENER);
    let elsewhere = SocketAddrV4::new(NODE, 2600);
    world.node.serve(elsewhere, "kube-proxy");
    let by_kube_proxy = [Some(format!("kube-proxy {ROUTED}")), Some(format!("kube-proxy {BRIDGED}"))];
    // Its modes iptables and nftables, with a rule that would take everything.
    for name in ["nat", "kube-proxy"] {
        add_nat(&world.node, name, dnat_everything(elsewhere)).expect("kube-proxy's rules");
        assert_eq!(world.heard_by_pods(), by_kube_proxy, "{name} without us");
        let agent = Agent::start(&world.node).expect("installed");
        assert_eq!(world.heard_by_pods(), nmi_heard(), "{name} before us");
        // kube-proxy writes its rules anew all the time.
        damage(&world.node, Damage::FlushRuleset).expect("all but ours");
        add_nat(&world.node, name, dnat_everything(elsewhere)).expect("kube-proxy's rules");
        assert_eq!(world.heard_by_pods(), nmi_heard(), "{name} after us");
        drop(agent);
        assert!(clean_up(&world.node).expect("removed"));
        damage(&world.node, Damage::FlushRuleset).expect("the rest");
    }
    assert_eq!(world.metadata_calls(), 0);
}
