//! Does nobody notice that one NMI follows another, even under load?

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http::Response;
use podid_runtime::http::{Limits, Server, bind};
use podid_runtime::shutdown::Shutdown;

use crate::agent::{Agent, runtime};
use crate::world::{LISTENER, METADATA, Namespace, World};

/// Callers in all, half of which keep their connections.
const CALLERS: usize = 40;

/// How long a caller waits for anything: longer than a few retransmissions.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many answers there are to be between two hand-overs.
const ANSWERS: usize = 500;

/// An NMI: the redirect, and the server behind it.
struct Nmi {
    agent: Agent,
    shutdown: Shutdown,
    server: JoinHandle<()>,
}

// === impl Nmi ===

impl Nmi {
    fn start(node: &Namespace) -> Self {
        let shutdown = Shutdown::new();
        let (tell, told) = mpsc::channel();
        let (inside, end) = (node.clone(), shutdown.clone());
        let server = thread::spawn(move || {
            inside.run(|| {
                runtime().block_on(async {
                    let listener = bind("test", SocketAddr::from(LISTENER)).await.expect("listener");
                    tell.send(()).expect("somebody waits");
                    let limits = Limits { all: 1000, each: 1000, reserve: 0 };
                    let server = Server::new("test").linger(Duration::from_secs(1)).limits(limits);
                    server.serve(listener, end, |_, _| async { Response::new("fine".into()) }).await;
                });
            });
        });
        told.recv().expect("the listener starts");
        Self { agent: Agent::start(node).expect("installed"), shutdown, server }
    }

    /// Ends in the order in which NMI does.
    fn stop(mut self) {
        self.agent.close().expect("closed");
        self.shutdown.begin();
        self.server.join().expect("the server ends");
    }
}

/// Asks over and over until told to stop. The error is what a program would have seen.
fn ask_on(keep: bool, stop: &AtomicBool, answers: &AtomicUsize) -> Result<(), String> {
    let request = if keep {
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    } else {
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    };
    while !stop.load(Ordering::Relaxed) {
        let mut stream = connect(METADATA).map_err(|error| format!("connecting: {error}"))?;
        loop {
            stream.write_all(request.as_bytes()).map_err(|error| format!("asking: {error}"))?;
            let closing = read(&mut stream).map_err(|error| format!("reading: {error}"))?;
            answers.fetch_add(1, Ordering::Relaxed);
            if closing || stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    Ok(())
}

fn connect(to: SocketAddrV4) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads one answer; says whether it was the last on its connection.
fn read(stream: &mut TcpStream) -> std::io::Result<bool> {
    let (mut heard, mut piece) = (String::new(), [0; 512]);
    while !heard.ends_with("fine") {
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => heard.push_str(&String::from_utf8_lossy(&piece[..count])),
        }
    }
    Ok(heard.to_lowercase().contains("connection: close"))
}

pub(crate) fn under_load() {
    let world = World::new();
    let mut nmi = Nmi::start(&world.node);
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let pod = if number % 4 < 2 { world.routed.clone() } else { world.bridged.clone() };
            let (stop, answers) = (stop.clone(), answers.clone());
            thread::spawn(move || pod.run(|| ask_on(number % 2 == 0, &stop, &answers)))
        })
        .collect();
    for _ in 0..3 {
        let (before, started) = (answers.load(Ordering::Relaxed), Instant::now());
        while answers.load(Ordering::Relaxed) < before + ANSWERS && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        nmi.stop();
        nmi = Nmi::start(&world.node);
    }
    stop.store(true, Ordering::Relaxed);
    let seen: Vec<_> =
        callers.into_iter().filter_map(|caller| caller.join().expect("caller").err()).collect();
    nmi.stop();
    assert!(seen.is_empty(), "{seen:?}");
    assert!(answers.load(Ordering::Relaxed) >= 3 * ANSWERS, "{answers:?}");
    assert_eq!(world.metadata_calls(), 0, "somebody got through");
}
