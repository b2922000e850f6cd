//! What does a cached token cost, compared with a bare server that sends the same bytes?
//!
//! Four servers, each on a thread and a socket of its own, are asked in turn by the same clients: a bare hyper
//! server with a fixed answer, podid's HTTP server with the same, the agent without a log, and the agent writing its
//! audit line to a pipe. Compared is the CPU time of the server's thread per request, which a busy machine disturbs
//! much less than the time on the clock; the turns are short and interleaved, so that what disturbs one disturbs
//! all. `docs/performance.md` says what the figures mean.
#![allow(clippy::unwrap_used, reason = "everything here is made up for the bench; a failure ends it")]

mod agent;
mod clients;
mod figures;
mod fixed;
mod place;

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use podid_runtime::telemetry::{Format, to_writer};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

use clients::Clients;
use figures::Figures;

/// Turns of each server, the first of which is not counted.
const TURNS: usize = 21;
/// Requests of all clients together in one turn.
const REQUESTS: usize = 20_000;

fn main() {
    // `cargo bench` passes `--bench`; `cargo test --benches` does not, and wants to be done soon.
    let turns = if std::env::args().any(|argument| argument == "--bench") { TURNS } else { 2 };

    let imds = agent::start_imds();
    // Not `Dispatch::none()`: beside a single subscriber that belongs to another thread, tracing would take the
    // lack of one here for everybody's.
    let quiet = agent::start(imds, Dispatch::new(NoSubscriber::new()));
    let (pipe, lines) = drained_pipe();
    let audited = agent::start(imds, to_writer(Format::Json, 0, Arc::new(pipe)));
    let answer = Clients::connect(&quiet).answer();
    let mut contenders: Vec<_> = [
        ("bare hyper", fixed::start_bare(answer.clone())),
        ("podid's server", fixed::start_limited(answer.clone())),
        ("agent, no log", quiet),
        ("agent, audit line", audited),
    ]
    .into_iter()
    .map(|(name, place)| (Figures::new(name), Clients::connect(&place), place))
    .collect();
    for turn in 0..turns {
        for (figures, clients, place) in &mut contenders {
            let before = place.cpu();
            let latencies = clients.ask(REQUESTS);
            let used = place.cpu().saturating_sub(before);
            if turn > 0 {
                figures.add(used, latencies);
            }
        }
    }
    // The last turn's lines may still be on their way.
    assert!(lines.load(Ordering::Relaxed) >= REQUESTS * (turns - 1), "not every request left its line");
    println!(
        "{} bytes, {} clients, {} turns of {REQUESTS} requests",
        answer.len(),
        clients::COUNT,
        turns - 1
    );
    let figures: Vec<_> = contenders.into_iter().map(|(figures, ..)| figures).collect();
    print!("{}", figures::table(&figures));
}

/// A pipe whose other end reads everything, as a container runtime does with a container's output, and the number
/// of lines that it read.
fn drained_pipe() -> (io::PipeWriter, Arc<AtomicUsize>) {
    let (reader, writer) = io::pipe().unwrap();
    let lines = Arc::new(AtomicUsize::new(0));
    let counted = lines.clone();
    thread::spawn(move || {
        for line in io::BufReader::new(reader).split(b'\n') {
            line.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (writer, lines)
}
