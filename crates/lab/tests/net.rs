//! Does the lab's network carry real connections, and does it vanish again?
//!
//! A user namespace can only be entered by a process with one thread, so this test has its own `main`. Started
//! by root it runs every case twice: as root, and again as the user nobody in a user namespace.
#![allow(clippy::expect_used, reason = "the cases are tests, though not marked with #[test]")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, fs, panic, thread};

use nix::sched::{CloneFlags, unshare};
use podid_lab::net::{Fabric, GATEWAY, METADATA, Namespace, Node, NodeStyle, pod_address, probe};

const AZURE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const NOBODY: u32 = 65534;
const PATIENCE: Duration = Duration::from_secs(5);

type Case = (&'static str, fn(&World));

const CASES: &[Case] = &[
    ("probe_finds_nothing_denied", probe_finds_nothing_denied),
    ("azure_sees_the_address_of_a_routed_pod", azure_sees_the_address_of_a_routed_pod),
    ("azure_sees_the_address_of_a_bridged_pod", azure_sees_the_address_of_a_bridged_pod),
    ("metadata_is_reached_from_pods_while_nothing_redirects", metadata_is_reached_while_nothing_redirects),
    ("metadata_and_azure_are_reached_from_nodes", metadata_and_azure_are_reached_from_nodes),
    ("pods_reach_each_other_across_nodes", pods_reach_each_other_across_nodes),
    ("pods_reach_each_other_on_one_node", pods_reach_each_other_on_one_node),
    ("pods_reach_their_node", pods_reach_their_node),
    ("routed_links_have_no_address_on_the_node", routed_links_have_no_address_on_the_node),
    ("a_process_started_inside_lives_inside", a_process_started_inside_lives_inside),
    ("a_pod_added_twice_is_refused", a_pod_added_twice_is_refused),
    ("a_removed_pod_is_unreachable_and_can_come_back", a_removed_pod_is_unreachable_and_can_come_back),
    ("removal_leaves_no_link", removal_leaves_no_link),
];

/// A data centre with one node of each style and a pod on each.
struct World {
    fabric: Fabric,
    routed: Node,
    bridged: Node,
    pod_on_routed: Namespace,
    pod_on_bridged: Namespace,
}

/// How many cases went which way.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("--list") => return ExitCode::SUCCESS,
        Some("--probe") => {
            println!(
                "{}",
                probe().map_or_else(|error| error.to_string(), |()| "nothing is denied".to_owned())
            );
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let root = nix::unistd::geteuid().is_root();
    let mut tally = if root { again_as_nobody() } else { Tally::default() };
    if !root {
        let outcome = panic::catch_unwind(probe_names_what_is_forbidden);
        tally.count("probe_names_what_is_forbidden", &outcome.map_err(|_| "see the panic above".to_owned()));
    }
    let mut namespaces = CloneFlags::CLONE_NEWNET;
    if !root {
        namespaces |= CloneFlags::CLONE_NEWUSER;
    }
    match unshare(namespaces) {
        Ok(()) => run_cases(&mut tally),
        // A host that forbids this is no place for the lab; saying so loudly beats passing silently.
        Err(error) => tally.count("a_network_of_our_own", &Err(format!("not permitted here: {error}"))),
    }
    println!("{} passed, {} failed, 0 skipped", tally.passed, tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_cases(tally: &mut Tally) {
    let world = World::new();
    for (name, case) in CASES {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| case(&world)));
        tally.count(name, &outcome.map_err(|_| "see the panic above".to_owned()));
    }
}

/// Runs a copy of this binary as an ordinary user, who may not be able to reach the build directory.
fn again_as_nobody() -> Tally {
    let copy = env::temp_dir().join(format!("podid-net-test-{}", std::process::id()));
    fs::copy(env::current_exe().expect("own path"), &copy).expect("a copy that nobody may run");
    let output = Command::new(&copy).uid(NOBODY).gid(NOBODY).stderr(Stdio::inherit()).output();
    fs::remove_file(&copy).expect("remove the copy");
    let mut tally = Tally::default();
    for line in String::from_utf8_lossy(&output.expect("the copy runs").stdout).lines() {
        if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            let outcome = if outcome == "ok" { Ok(()) } else { Err(outcome.to_owned()) };
            tally.count(&format!("nobody::{name}"), &outcome);
        }
    }
    if tally.passed + tally.failed == 0 {
        tally.count("nobody", &Err("nothing ran".to_owned()));
    }
    tally
}

// === impl Tally ===

impl Tally {
    fn count(&mut self, name: &str, outcome: &Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok");
            }
            Err(reason) => {
                self.failed += 1;
                println!("test {name} ... FAILED: {reason}");
            }
        }
    }
}

// === impl World ===

impl World {
    fn new() -> Self {
        let fabric = Fabric::build(&[AZURE]).expect("fabric");
        let routed = fabric.add_node(1, NodeStyle::Routed).expect("routed node");
        let bridged = fabric.add_node(2, NodeStyle::Bridged).expect("bridged node");
        let pod_on_routed = routed.add_pod(pod_address(1, 2)).expect("pod on the routed node");
        let pod_on_bridged = bridged.add_pod(pod_address(2, 2)).expect("pod on the bridged node");
        Self { fabric, routed, bridged, pod_on_routed, pod_on_bridged }
    }
}

/// Connects from one namespace to a listener in another and returns the address that the listener saw.
fn caller_seen(from: &Namespace, to: &Namespace, at: Ipv4Addr, port: u16) -> Option<SocketAddr> {
    let listener = to.listen(SocketAddr::from((at, port))).expect("listener");
    thread::scope(|scope| {
        let server = scope.spawn(move || {
            let (mut stream, peer) = listener.accept().ok()?;
            stream.write_all(b"hello").ok()?;
            Some(peer)
        });
        let heard = from.run(|| {
            let mut stream =
                TcpStream::connect_timeout(&SocketAddrV4::new(at, port).into(), PATIENCE).ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        });
        if heard.ok().flatten().as_deref() != Some("hello") {
            // Lets the waiting server go.
            drop(to.run(|| TcpStream::connect_timeout(&SocketAddrV4::new(at, port).into(), PATIENCE)));
            server.join().expect("server");
            return None;
        }
        server.join().expect("server")
    })
}

/// In a process of its own, because the probe starts threads, and afterwards a user namespace is entered.
fn probe_names_what_is_forbidden() {
    let output = Command::new("/proc/self/exe").arg("--probe").output().expect("probe");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("not permitted to create a network namespace"), "{told}");
}

fn probe_finds_nothing_denied(_: &World) {
    probe().expect("nothing is denied here");
}

fn azure_sees_the_address_of_a_routed_pod(world: &World) {
    let seen = caller_seen(&world.pod_on_routed, world.fabric.namespace(), AZURE, 443).expect("connection");
    assert_eq!(seen.ip(), pod_address(1, 2));
}

fn azure_sees_the_address_of_a_bridged_pod(world: &World) {
    let seen = caller_seen(&world.pod_on_bridged, world.fabric.namespace(), AZURE, 443).expect("connection");
    assert_eq!(seen.ip(), pod_address(2, 2));
}

fn metadata_is_reached_while_nothing_redirects(world: &World) {
    let seen = caller_seen(&world.pod_on_routed, world.fabric.namespace(), METADATA, 80).expect("connection");
    assert_eq!(seen.ip(), pod_address(1, 2));
    let seen =
        caller_seen(&world.pod_on_bridged, world.fabric.namespace(), METADATA, 80).expect("connection");
    assert_eq!(seen.ip(), pod_address(2, 2));
}

fn metadata_and_azure_are_reached_from_nodes(world: &World) {
    for node in [&world.routed, &world.bridged] {
        for (address, port) in [(METADATA, 80), (AZURE, 443)] {
            let seen = caller_seen(node.namespace(), world.fabric.namespace(), address, port);
            assert_eq!(seen.expect("connection").ip(), node.address());
        }
    }
}

fn pods_reach_each_other_across_nodes(world: &World) {
    let seen = caller_seen(&world.pod_on_routed, &world.pod_on_bridged, pod_address(2, 2), 8080);
    assert_eq!(seen.expect("routed to bridged").ip(), pod_address(1, 2));
    let seen = caller_seen(&world.pod_on_bridged, &world.pod_on_routed, pod_address(1, 2), 8080);
    assert_eq!(seen.expect("bridged to routed").ip(), pod_address(2, 2));
}

fn pods_reach_each_other_on_one_node(world: &World) {
    for (node, number, first) in
        [(&world.routed, 1, &world.pod_on_routed), (&world.bridged, 2, &world.pod_on_bridged)]
    {
        let second = node.add_pod(pod_address(number, 3)).expect("second pod");
        let seen = caller_seen(&second, first, pod_address(number, 2), 8080).expect("connection");
        assert_eq!(seen.ip(), pod_address(number, 3));
        node.remove_pod(pod_address(number, 3)).expect("removal");
    }
}

fn pods_reach_their_node(world: &World) {
    for (node, pod, address) in [
        (&world.routed, &world.pod_on_routed, pod_address(1, 2)),
        (&world.bridged, &world.pod_on_bridged, pod_address(2, 2)),
    ] {
        let seen = caller_seen(pod, node.namespace(), node.address(), 2579).expect("connection");
        assert_eq!(seen.ip(), address);
    }
}

fn routed_links_have_no_address_on_the_node(world: &World) {
    let addresses = |node: &Node| {
        node.namespace()
            .run(|| fs::read_to_string("/proc/thread-self/net/fib_trie"))
            .expect("run")
            .expect("read")
    };
    assert!(!addresses(&world.routed).contains("10.244.1.1"));
    assert!(addresses(&world.bridged).contains("10.244.2.1"));
}

fn a_process_started_inside_lives_inside(world: &World) {
    let output = world
        .pod_on_routed
        .run(|| Command::new("/bin/cat").arg("/proc/self/net/fib_trie").output())
        .expect("run")
        .expect("cat");
    assert!(String::from_utf8_lossy(&output.stdout).contains("10.244.1.2"));
}

fn a_pod_added_twice_is_refused(world: &World) {
    let error = world.routed.add_pod(pod_address(1, 2)).expect_err("the address is taken");
    assert!(error.to_string().contains("veth0af40102"), "{error}");
}

fn a_removed_pod_is_unreachable_and_can_come_back(world: &World) {
    let address = pod_address(1, 7);
    for _ in 0..2 {
        let pod = world.routed.add_pod(address).expect("pod");
        let seen = caller_seen(world.fabric.namespace(), &pod, address, 8080).expect("connection");
        assert_eq!(seen.ip(), GATEWAY);
        world.routed.remove_pod(address).expect("removal");
        let gone = world.fabric.namespace().run(|| {
            TcpStream::connect_timeout(&SocketAddrV4::new(address, 8080).into(), Duration::from_millis(300))
        });
        gone.expect("run").expect_err("nobody answers for a removed pod");
    }
}

fn removal_leaves_no_link(world: &World) {
    let links = |namespace: &Namespace| {
        namespace
            .run(|| fs::read_to_string("/proc/thread-self/net/dev"))
            .expect("run")
            .expect("read")
            .lines()
            .count()
    };
    let before = (links(world.fabric.namespace()), links(world.bridged.namespace()));
    let node = world.fabric.add_node(3, NodeStyle::Routed).expect("node");
    node.add_pod(pod_address(3, 2)).expect("pod");
    world.bridged.add_pod(pod_address(2, 9)).expect("pod");
    world.bridged.remove_pod(pod_address(2, 9)).expect("removal of the pod");
    world.fabric.remove_node(3).expect("removal of the node");
    assert_eq!(before, (links(world.fabric.namespace()), links(world.bridged.namespace())));
    let refused = world.fabric.remove_node(3).expect_err("it is gone");
    assert!(refused.to_string().contains("node3"), "{refused}");
}
