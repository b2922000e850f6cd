//! What did the turns of each server show?

use std::fmt::Write;
use std::time::Duration;

/// The figures of one server, turn by turn; the same turn of two servers can be compared.
pub(crate) struct Figures {
    name: &'static str,
    /// CPU time per request.
    cpu: Vec<Duration>,
    /// The time within which half, and 99 %, of the requests were answered.
    half: Vec<Duration>,
    most: Vec<Duration>,
}

// === impl Figures ===

impl Figures {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, cpu: Vec::new(), half: Vec::new(), most: Vec::new() }
    }

    /// Adds a turn: the CPU time that it took in all, and how long each request took.
    pub(crate) fn add(&mut self, cpu: Duration, mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        let requests = u32::try_from(latencies.len()).unwrap();
        self.cpu.push(cpu / requests);
        self.half.push(latencies[latencies.len() / 2]);
        self.most.push(latencies[latencies.len() * 99 / 100]);
    }
}

/// A row for each server, compared with the first.
pub(crate) fn table(all: &[Figures]) -> String {
    let mut table = String::new();
    table.push_str(
        "| server | CPU per request | ratio | p50 | p99 | ratio |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for figures in all {
        writeln!(
            table,
            "| {} | {:.1} µs | {:.2} | {:.0} µs | {:.0} µs | {:.2} |",
            figures.name,
            micros(&figures.cpu),
            ratio(&figures.cpu, &all[0].cpu),
            micros(&figures.half),
            micros(&figures.most),
            ratio(&figures.most, &all[0].most),
        )
        .unwrap();
    }
    table
}

/// The median of the ratios turn by turn: what slowed a whole turn down cancels out.
fn ratio(of: &[Duration], to: &[Duration]) -> f64 {
    median(of.iter().zip(to).map(|(one, other)| one.as_secs_f64() / other.as_secs_f64()).collect())
}

fn micros(durations: &[Duration]) -> f64 {
    median(durations.iter().map(Duration::as_secs_f64).collect()) * 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
