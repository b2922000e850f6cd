//! What does a cached token cost, compared with a bare server that sends the same bytes?
//!
//! Three servers, each on a thread and a socket of its own, are asked in turn by the same clients: a bare hyper
//! server with a fixed answer, podid's HTTP server with the same, and the agent without a log. Compared is the CPU
//! time of the server's thread per request, which a busy machine disturbs much less than the time on the clock; the
//! turns are short and interleaved, so that what disturbs one disturbs all. `docs/performance.md` says what the
//! figures mean. The bench `node` compares whole processes, with the log.
#![allow(clippy::unwrap_used, reason = "everything here is made up for the bench; a failure ends it")]

mod agent;
mod clients;
mod figures;
mod fixed;
mod place;

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
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let turns = if has("--bench") && !has("--quick") { TURNS } else { 2 };

    let imds = agent::start_imds();
    // Not `Dispatch::none()`: beside a single subscriber that belongs to another thread, tracing would take the
    // lack of one here for everybody's.
    let quiet = agent::start(imds, Dispatch::new(NoSubscriber::new()));
    let answer = Clients::connect(&quiet).answer();
    let mut contenders: Vec<_> = [
        ("bare hyper", fixed::start_bare(answer.clone())),
        ("podid's server", fixed::start_limited(answer.clone())),
        ("agent, no log", quiet),
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
    println!(
        "An answer of {} bytes, {} clients, {} turns of {REQUESTS} requests.\n",
        answer.len(),
        clients::COUNT,
        turns - 1
    );
    let figures: Vec<_> = contenders.into_iter().map(|(figures, ..)| figures).collect();
    print!("{}", figures::table(&figures));
}
