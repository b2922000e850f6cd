//! What does a cached token cost through the redirect, and does it stay that way?

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};

use crate::Effort;
use crate::agent::Agent;
use crate::ask::Connection;
use crate::cluster::UNASSIGNED;
use crate::series::{median, micros, ratio};
use crate::stage::{Place, Stage};

/// A server under load.
struct Contender<'a> {
    name: &'static str,
    agent: Agent,
    place: &'a Place,
    /// Turn by turn, so that the same turn of two can be compared.
    cpu: Vec<f64>,
    rate: Vec<f64>,
    half: Vec<f64>,
    most: Vec<f64>,
}

/// Bare server and agent in turn, at 1, 32 and 128 connections.
pub(crate) fn measure(stage: &Stage, effort: Effort) {
    let (turns, requests) = match effort {
        Effort::Quick => (3, 2_000),
        Effort::Full => (15, 16_000),
    };
    println!("### A cached token through the redirect\n");
    println!("| connections | server | CPU per request | ratio | requests/s | p50 | p99 | ratio |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let mut contenders = contenders(stage, &clients);
    for connections in [1, 32, 128] {
        let requests = if connections == 1 { requests / 8 } else { requests };
        let mut open: Vec<Vec<Connection>> =
            contenders.iter().map(|contender| connect(&clients, contender.place, connections)).collect();
        for contender in &mut contenders {
            contender.forget();
        }
        for turn in 0..=turns {
            for (contender, connections) in contenders.iter_mut().zip(&mut open) {
                contender.turn(&clients, connections, requests, turn > 0);
            }
        }
        for contender in &contenders {
            println!("| {connections} {}", contender.row(&contenders[0]));
        }
    }
    println!();
}

/// One load for 80 seconds on end.
pub(crate) fn sustained(stage: &Stage, effort: Effort) {
    let (seconds, edge) = if effort == Effort::Quick { (8, 2) } else { (80, 10) };
    let clients = Builder::new_current_thread().enable_all().build().unwrap();
    let place = &stage.places[0];
    let mut contender = Contender::new("", Agent::start(stage, place, None), place);
    let mut connections = connect(&clients, place, 32);
    let before = stage.imds.calls().answered;
    contender.turn(&clients, &mut connections, 3_200, false);
    let (fetched, begun) = (stage.imds.calls().answered, Instant::now());
    let mut slices = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds) {
        contender.turn(&clients, &mut connections, 8_000, true);
        slices.push(begun.elapsed());
    }
    let early = slices.iter().filter(|end| end.as_secs() < edge).count().max(1);
    let late = slices.iter().position(|end| end.as_secs() >= seconds - edge).unwrap();
    println!("### The same for {seconds} s on end, 32 connections, with the log\n");
    println!("| | CPU per request | requests/s | p99 |\n| --- | --- | --- | --- |");
    for (name, part) in
        [(format!("first {edge} s"), 0..early), (format!("last {edge} s"), late..slices.len())]
    {
        let of = |values: &[f64]| median(values[part.clone()].to_vec());
        println!(
            "| {name} | {:.1} µs | {:.0} | {:.0} µs |",
            of(&contender.cpu),
            of(&contender.rate),
            of(&contender.most)
        );
    }
    println!(
        "\nIMDS was asked {} times before and {} times meanwhile.\n",
        fetched - before,
        stage.imds.calls().answered - fetched
    );
}

fn contenders<'a>(stage: &'a Stage, clients: &Runtime) -> Vec<Contender<'a>> {
    let [logging, quiet, bare] = &stage.places;
    stage.imds.behave(Duration::ZERO, None);
    let with_log = Agent::start(stage, logging, None);
    let without = Agent::start(stage, quiet, Some("warn"));
    let body = clients.block_on(async {
        let mut connection = quiet.connect(0).await;
        let answer = connection.ask().await;
        connection.body(&answer)
    });
    vec![
        Contender::new("bare hyper", Agent::bare(bare, &body), bare),
        Contender::new("agent, warnings only", without, quiet),
        Contender::new("agent, a line for each request", with_log, logging),
    ]
}

/// Each connection is another pod's as long as there are enough of them.
fn connect(clients: &Runtime, place: &Place, connections: usize) -> Vec<Connection> {
    clients.block_on(join_all((0..connections).map(|number| place.connect(number % UNASSIGNED))))
}

// === impl Contender ===

impl<'a> Contender<'a> {
    fn new(name: &'static str, agent: Agent, place: &'a Place) -> Self {
        let (cpu, rate, half, most) = Default::default();
        Self { name, agent, place, cpu, rate, half, most }
    }

    fn forget(&mut self) {
        for values in [&mut self.cpu, &mut self.rate, &mut self.half, &mut self.most] {
            values.clear();
        }
    }

    /// All connections together ask so many times, each again as soon as it is answered.
    fn turn(&mut self, clients: &Runtime, connections: &mut [Connection], requests: usize, counts: bool) {
        let each = requests / connections.len();
        let (before, lines, begun) = (self.agent.cpu(), self.agent.lines(), Instant::now());
        let asking = connections.iter_mut().map(|connection| async move {
            let mut latencies = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                assert_eq!(connection.ask().await.status, 200);
                latencies.push(begun.elapsed());
            }
            latencies
        });
        let mut latencies = clients.block_on(join_all(asking)).concat();
        let (took, used) = (begun.elapsed(), self.agent.cpu().saturating_sub(before));
        latencies.sort_unstable();
        if self.name.ends_with("request") {
            // All but those that are gathered for the next write.
            assert!(self.agent.lines() + latencies.len() / 2 > lines, "requests left no line");
        }
        if counts {
            self.cpu.push(micros(used) / f64::from(u32::try_from(latencies.len()).unwrap()));
            self.rate.push(f64::from(u32::try_from(latencies.len()).unwrap()) / took.as_secs_f64());
            self.half.push(micros(latencies[latencies.len() / 2]));
            self.most.push(micros(latencies[latencies.len() * 99 / 100]));
        }
    }

    fn row(&self, bare: &Self) -> String {
        format!(
            "| {} | {:.1} µs | {:.2} | {:.0} | {:.0} µs | {:.0} µs | {:.2} |",
            self.name,
            median(self.cpu.clone()),
            ratio(&self.cpu, &bare.cpu),
            median(self.rate.clone()),
            median(self.half.clone()),
            median(self.most.clone()),
            ratio(&self.most, &bare.most),
        )
    }
}
