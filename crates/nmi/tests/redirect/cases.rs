//! The promises, one by one.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use podid_nmi::redirect::{Destination, Error, Options, Redirect, Settings, decide, detect};

use crate::agent::{Agent, SETTINGS, clean_up, runtime, start_process};
use crate::intruder::{Damage, EVERY_DAMAGE, add_leftover, damage, dnat_nothing};
use crate::selftest;
use crate::world::{
    BRIDGE, LISTENER, METADATA, NODE, ROUTED, World, ask, loopback_route, nmi_heard, route_localnet,
};
use crate::{company, handover, neighbours, ways};

/// How long a repair may take on a busy machine.
const REPAIRED_AFTER: Duration = Duration::from_secs(5);

pub(crate) const CASES: &[(&str, fn())] = &[
    ("pods_meet_nmi_under_their_own_address", pods_meet_nmi),
    ("the_node_itself_still_reaches_the_metadata_service", the_node_itself),
    ("loopback_of_the_node_is_closed_to_pods", loopback_is_closed),
    ("a_listener_on_loopback_serves_where_route_localnet_is_on", listener_on_loopback),
    ("the_listeners_port_is_open_to_redirected_traffic_only", direct_connections),
    ("the_port_is_closed_on_every_other_address_of_the_node", other_addresses),
    ("with_a_local_redirect_policy_pods_may_come_by_themselves_until_nmi_ends", ways::local_redirect_policy),
    ("wireserver_is_closed_to_pods_and_open_to_the_node", ways::wireserver),
    // W-10.
    ("a_leftover_of_the_original_never_sees_the_packets", company::leftover),
    ("kube_proxy_comes_later_whether_it_was_there_before_or_not", company::kube_proxy),
    // W-41.
    ("ipv6_leads_neither_to_nmi_nor_past_it_and_pods_that_have_it_are_served", ways::ipv6),
    ("a_leftover_of_the_original_goes_when_that_is_wanted_and_nothing_else", company::original_removed),
    // W-10.
    ("without_the_rewriting_packets_do_not_get_past_the_node", fence),
    ("an_owned_table_cannot_be_damaged", owned_table),
    // W-10.
    ("a_watched_table_is_put_back", watched_table),
    // W-45.
    ("a_table_fought_over_is_whole_in_the_end", fought_over),
    // W-10.
    ("rules_survive_the_death_of_their_owner", death),
    ("a_second_nmi_is_refused_while_the_first_lives", second_nmi),
    ("a_table_from_an_older_kernel_is_taken_over", older_table),
    // W-10.
    ("closing_lets_connections_finish_and_makes_new_ones_wait", closing),
    ("one_nmi_follows_another_under_load_and_no_caller_is_refused_or_reset", handover::under_load),
    ("a_closed_redirect_outlives_its_owner", closed_outlives),
    // W-45.
    ("a_redirect_that_cannot_be_closed_is_closed_as_soon_as_it_can", closing_again),
    ("removing_opens_the_way_to_the_metadata_service", removing),
    // W-10.
    ("connections_older_than_the_redirect_end", old_connections),
    ("an_address_that_goes_to_another_pod_is_doubted_and_no_other", neighbours::moved_address),
    ("addresses_behind_a_link_that_goes_are_doubted", neighbours::link_gone),
    ("a_pod_that_claims_its_neighbours_address_is_found_out", neighbours::claimed),
    ("a_pod_that_takes_on_its_neighbours_hardware_address_is_found_out", neighbours::disguised),
    ("an_address_that_leads_to_everybody_is_found_out", neighbours::flooded),
    ("an_ipv6_address_is_looked_at_like_the_other", neighbours::ipv6),
    ("the_self_test_meets_nmi_over_a_link_and_leaves_nothing", selftest::works),
    ("the_self_test_notices_a_missing_listener_a_stranger_and_silence", selftest::notices),
    ("cleaning_up_twice_is_no_error", cleaning_up),
    ("cleaning_up_under_a_running_nmi_is_refused", cleaning_up_under_a_running_nmi),
    ("senseless_settings_are_refused", senseless_settings),
    ("the_node_finds_its_own_address", surroundings),
];

/// Runs before any namespace is entered, as an ordinary user.
pub(crate) fn powerless() {
    let error = runtime().block_on(Redirect::install(SETTINGS)).err().expect("refused");
    assert!(matches!(error, Error::Denied), "{error:?}");
    assert!(error.to_string().contains("NET_ADMIN"), "{error}");
}

fn pods_meet_nmi() {
    let world = World::new();
    assert_eq!(world.routed.call(METADATA), Some(format!("imds {ROUTED}")));
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    let before = world.metadata_calls();
    assert_eq!(world.heard_by_pods(), nmi_heard());
    assert_eq!(world.metadata_calls(), before);
}

fn the_node_itself() {
    let world = World::new();
    let _agent = Agent::start(&world.node).expect("installed");
    assert_eq!(world.node.call(METADATA), Some(format!("imds {NODE}")));
}

fn loopback_is_closed() {
    let world = World::new();
    let private = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9000);
    world.node.serve(private, "private");
    // A careless node and a hostile pod.
    world.node.configure(async |links| route_localnet(links, "routed").await);
    world.routed.configure(async |links| {
        route_localnet(links, "eth0").await;
        loopback_route(links, "eth0").await;
    });
    assert_eq!(world.routed.call(private), Some(format!("private {ROUTED}")), "the attack works without us");
    let agent = Agent::start(&world.node).expect("installed");
    assert!(world.routed.meets_silence(private));
    assert_eq!(world.node.call(private), Some("private 127.0.0.1".to_owned()));
    drop(agent);
    assert!(world.routed.meets_silence(private));
}

fn listener_on_loopback() {
    let world = World::new();
    let listener = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 2579);
    world.listen(listener);
    world.node.configure(async |links| {
        route_localnet(links, "routed").await;
        route_localnet(links, "cbr0").await;
    });
    let settings = Settings { listener, ..SETTINGS };
    let _agent =
        Agent::start_with(&world.node, async move || Redirect::install(settings).await).expect("installed");
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

fn direct_connections() {
    let world = World::new();
    world.listen(LISTENER);
    assert!(world.routed.call(LISTENER).is_some(), "reachable without us");
    let _agent = Agent::start(&world.node).expect("installed");
    assert!(world.routed.meets_silence(LISTENER));
    assert!(world.bridged.meets_silence(LISTENER));
    assert_eq!(world.node.call(LISTENER), Some(format!("nmi {NODE}")));
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

fn other_addresses() {
    let world = World::new();
    world.listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, LISTENER.port()));
    let other = SocketAddrV4::new(BRIDGE, LISTENER.port());
    assert!(world.bridged.call(other).is_some(), "reachable without us");
    let _agent = Agent::start(&world.node).expect("installed");
    assert!(world.bridged.meets_silence(other));
    assert!(world.routed.meets_silence(other));
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

fn fence() {
    let world = World::new();
    let _agent = Agent::start_unowned(&world.node).expect("installed");
    // The watcher would put the rule back, so the connection attempts run while the damage is done again and again.
    let stop = Arc::new(AtomicBool::new(false));
    let intruder = {
        let (node, stop) = (world.node.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                damage(&node, Damage::FlushChain).ok();
            }
        })
    };
    for _ in 0..3 {
        drop(world.heard_by_pods());
    }
    stop.store(true, Ordering::SeqCst);
    intruder.join().expect("intruder");
    assert_eq!(world.metadata_calls(), 0);
}

fn owned_table() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    for kind in EVERY_DAMAGE {
        let outcome = damage(&world.node, kind);
        // Flushing everything succeeds by leaving out what is owned.
        assert_eq!(outcome.is_ok(), matches!(kind, Damage::FlushRuleset), "{kind:?}: {outcome:?}");
        assert_eq!(world.heard_by_pods(), nmi_heard(), "{kind:?}");
    }
    assert_eq!(world.metadata_calls(), 0);
}

fn watched_table() {
    let world = World::new();
    world.listen(LISTENER);
    let (tell, repairs) = mpsc::channel();
    let _agent = Agent::start_with(&world.node, async move || {
        let mut redirect = Redirect::install_unowned(SETTINGS).await?;
        redirect.on_repair(move |author| drop(tell.send(author.to_owned())));
        Ok(redirect)
    })
    .expect("installed");
    for kind in EVERY_DAMAGE {
        damage(&world.node, kind).unwrap_or_else(|error| panic!("{kind:?} is possible here: {error}"));
        until(|| world.heard_by_pods() == nmi_heard(), || format!("{kind:?} is repaired"));
        let author = repairs.recv_timeout(REPAIRED_AFTER).expect("a repair that is told");
        // The intruder is a thread of this test, under whatever name that runs.
        assert!(author.contains("redirect-") && author.ends_with(" of the host)"), "{author}");
        // What the damage looks like is gone as well: doing it again is possible again.
        assert!(damage(&world.node, kind).is_ok(), "{kind:?} a second time");
        until(|| world.heard_by_pods() == nmi_heard(), || format!("{kind:?} is repaired again"));
        repairs.recv_timeout(REPAIRED_AFTER).expect("another one");
    }
    assert!(repairs.try_recv().is_err(), "nothing else is a repair");
}

fn fought_over() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start_unowned(&world.node).expect("installed");
    // Without a pause, so that some damage falls between a repair and its comparison.
    for _ in 0..50 {
        damage(&world.node, Damage::Dormant).ok();
    }
    until(|| world.heard_by_pods() == nmi_heard(), || "the table is awake".to_owned());
    assert!(damage(&world.node, Damage::FlushChain).is_ok());
    until(|| world.heard_by_pods() == nmi_heard(), || "the rule is back".to_owned());
}

fn death() {
    let world = World::new();
    world.listen(LISTENER);
    let mut owner = start_process(&world.node);
    assert_eq!(world.heard_by_pods(), nmi_heard());
    owner.kill().expect("kill -9");
    owner.wait().expect("dead");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    let _successor = Agent::start(&world.node).expect("taken over");
    assert!(damage(&world.node, Damage::DeleteTable).is_err(), "owned again");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    assert_eq!(world.metadata_calls(), 0);
}

fn second_nmi() {
    let world = World::new();
    let first = Agent::start(&world.node).expect("installed");
    let error = Agent::start(&world.node).err().expect("refused");
    assert!(matches!(error, Error::Held), "{error:?}");
    drop(first);
    Agent::start(&world.node).expect("free again");
}

fn older_table() {
    let world = World::new();
    world.listen(LISTENER);
    drop(Agent::start_unowned(&world.node).expect("installed"));
    let _agent = Agent::start(&world.node).expect("taken over");
    assert!(damage(&world.node, Damage::DeleteTable).is_err(), "owned now");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    assert_eq!(world.metadata_calls(), 0);
}

fn closing() {
    let world = World::new();
    world.listen(LISTENER);
    let mut agent = Agent::start(&world.node).expect("installed");
    let mut under_way = world.routed.connect(METADATA).expect("connection");
    assert_eq!(ask(&mut under_way).expect("answer"), format!("nmi {ROUTED}"));
    agent.close().expect("closed");
    assert_eq!(ask(&mut under_way).expect("answer after closing"), format!("nmi {ROUTED}"));
    assert!(world.pods_meet_silence());
    assert_eq!(ask(&mut under_way).expect("answer a while later"), format!("nmi {ROUTED}"));
    // A client that knocks meanwhile is served by the successor, because it is not refused and knocks again.
    let heard = thread::scope(|scope| {
        let waiting = scope.spawn(|| world.bridged.call(METADATA));
        thread::sleep(Duration::from_millis(100));
        assert!(!waiting.is_finished());
        drop(agent);
        let successor = Agent::start(&world.node).expect("taken over");
        let heard = waiting.join().expect("client");
        assert_eq!(ask(&mut under_way).expect("answer after the hand-over"), format!("nmi {ROUTED}"));
        drop(successor);
        heard
    });
    assert_eq!(heard, nmi_heard()[1]);
    assert_eq!(world.metadata_calls(), 0);
}

fn closed_outlives() {
    let world = World::new();
    world.listen(LISTENER);
    let mut agent = Agent::start(&world.node).expect("installed");
    agent.close().expect("closed");
    drop(agent);
    assert!(world.pods_meet_silence());
    assert_eq!(world.metadata_calls(), 0);
}

fn closing_again() {
    let world = World::new();
    world.listen(LISTENER);
    let mut agent = Agent::start_unowned(&world.node).expect("installed");
    let other = Agent::start(&world.node).expect("taken away");
    let error = agent.close().expect_err("somebody else owns the table");
    assert!(matches!(error, Error::Held), "{error:?}");
    assert_eq!(world.heard_by_pods(), nmi_heard());
    drop(other);
    until(|| world.pods_meet_silence(), || "the redirect is closed".to_owned());
    assert_eq!(world.metadata_calls(), 0);
}

fn removing() {
    let world = World::new();
    let removed = world.node.run(|| {
        runtime().block_on(async {
            let mut redirect = Redirect::install(SETTINGS).await.expect("installed");
            redirect.close().await.expect("closed");
            redirect.remove().await.is_ok()
        })
    });
    assert!(removed);
    assert_eq!(world.routed.call(METADATA), Some(format!("imds {ROUTED}")));
    assert!(!clean_up(&world.node).expect("nothing is left"));
}

fn old_connections() {
    let world = World::new();
    world.listen(LISTENER);
    // On a real node connections are tracked before NMI comes.
    add_leftover(&world.node, dnat_nothing()).expect("a rule that does nothing");
    let mut old = world.routed.connect(METADATA).expect("connection");
    assert_eq!(ask(&mut old).expect("answer"), format!("imds {ROUTED}"));
    let _agent = Agent::start(&world.node).expect("installed");
    old.set_write_timeout(Some(REPAIRED_AFTER)).expect("timeout");
    drop(old.write_all(b"?"));
    let started = Instant::now();
    ask(&mut old).expect_err("the old connection is dead");
    assert!(started.elapsed() < Duration::from_secs(3), "reset, not just stuck");
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

fn cleaning_up() {
    let world = World::new();
    assert!(!clean_up(&world.node).expect("nothing to remove"));
    drop(Agent::start(&world.node).expect("installed"));
    assert!(clean_up(&world.node).expect("removed"));
    assert!(!clean_up(&world.node).expect("removed already"));
    assert_eq!(world.routed.call(METADATA), Some(format!("imds {ROUTED}")));
    assert!(
        world
            .routed
            .connect(LISTENER)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    );
}

fn cleaning_up_under_a_running_nmi() {
    let world = World::new();
    world.listen(LISTENER);
    let _agent = Agent::start(&world.node).expect("installed");
    let error = clean_up(&world.node).expect_err("refused");
    assert!(matches!(error, Error::Held), "{error:?}");
    assert_eq!(world.heard_by_pods(), nmi_heard());
}

fn senseless_settings() {
    for listener in [SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 2579), SocketAddrV4::new(NODE, 0), METADATA] {
        let settings = Settings { listener, ..SETTINGS };
        let error = runtime().block_on(Redirect::install(settings)).err().expect("refused");
        assert!(matches!(error, Error::Settings(_)), "{error:?}");
    }
}

fn surroundings() {
    let world = World::new();
    let switch = "/proc/sys/net/ipv4/conf/all/route_localnet";
    for (value, expected) in [("0", Destination::Node(NODE)), ("1", Destination::Loopback)] {
        let found = world.node.run(|| {
            // A namespace inherits the value from the host, and a container may not write here.
            let written = fs::write(switch, value).is_ok();
            written.then(|| detect(*METADATA.ip()))
        });
        let Some(found) = found else { return assert_eq!(own_address(&world), Some(NODE)) };
        assert_eq!(found.node_address, Some(NODE));
        assert_eq!(decide(found, Options::default()), expected);
    }
}

fn own_address(world: &World) -> Option<Ipv4Addr> {
    world.node.run(|| detect(*METADATA.ip())).node_address
}

/// Waits for something that another thread is about to bring about.
pub(crate) fn until(condition: impl Fn() -> bool, what: impl Fn() -> String) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < REPAIRED_AFTER, "{}", what());
    }
}
