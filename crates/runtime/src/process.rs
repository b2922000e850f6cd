//! What does this process use of its machine?
//!
//! The metrics that every Prometheus client library exposes (`process_cpu_seconds_total` and its neighbours), read
//! from `/proc/self` at each scrape. One that cannot be read is left out of that scrape.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Clock ticks per second in `/proc`; fixed by the kernel's interface on every architecture that we run on.
const TICKS: f64 = 100.0;

/// Reads `/proc/self` when asked for metrics.
#[derive(Debug)]
struct Process;

/// The fields of `/proc/self/stat` that are used, in seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu: f64,
    /// After the machine's boot.
    started: f64,
}

/// CPU seconds: a counter whose series is called as it was registered.
#[derive(Debug)]
struct Cpu(f64);

/// Adds the process metrics to `registry`, which should have no prefix.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

// === impl Process ===

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let stat = read("/proc/self/stat").and_then(|text| parse_stat(&text));
        if let Some(Stat { cpu, .. }) = stat {
            let help = "CPU time in user and system mode";
            // With its whole name: the text format wants the name of a counter to be that of its series.
            write(&mut encoder, "process_cpu_seconds_total", help, &Cpu(cpu))?;
        }
        let booted = read("/proc/stat").and_then(|text| value_of(&text, "btime"));
        if let (Some(booted), Some(Stat { started, .. })) = (booted, stat) {
            let since_epoch = ConstGauge::new(f64::from(booted) + started);
            write(&mut encoder, "process_start_time_seconds", "Start time since the epoch", &since_epoch)?;
        }
        let status = read("/proc/self/status").unwrap_or_default();
        for (key, name, help) in [
            ("VmRSS:", "process_resident_memory_bytes", "Resident memory"),
            ("VmSize:", "process_virtual_memory_bytes", "Virtual memory"),
        ] {
            if let Some(kibibytes) = value_of(&status, key) {
                write(&mut encoder, name, help, &ConstGauge::new(i64::from(kibibytes) * 1024))?;
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            let open = ConstGauge::new(i64::try_from(open.count().saturating_sub(1)).unwrap_or(i64::MAX));
            write(&mut encoder, "process_open_fds", "Open file descriptors", &open)?;
        }
        if let Some(most) = read("/proc/self/limits").and_then(|text| value_of(&text, "Max open files")) {
            write(
                &mut encoder,
                "process_max_fds",
                "Most file descriptors",
                &ConstGauge::new(i64::from(most)),
            )?;
        }
        Ok(())
    }
}

// === impl Cpu ===

impl EncodeMetric for Cpu {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.0)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> Result<(), fmt::Error> {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

/// Reads fields 14, 15 and 22; the name before them stands in parentheses and may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    let started: f64 = fields.nth(6)?.parse().ok()?;
    Some(Stat { cpu: (user + system) / TICKS, started: started / TICKS })
}

/// The number that follows `key` at the start of a line.
fn value_of(text: &str, key: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;

    #[test]
    fn every_process_metric_is_exposed_without_a_prefix() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut told = String::new();
        text::encode(&mut told, &registry).unwrap();
        for name in [
            "process_cpu_seconds_total",
            "process_start_time_seconds",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let line = told.lines().find(|line| line.starts_with(&format!("{name} ")));
            let value: f64 =
                line.unwrap_or_else(|| panic!("{name} in {told}"))[name.len()..].trim().parse().unwrap();
            assert!(value >= 0.0 && (value > 0.0 || name == "process_cpu_seconds_total"), "{name} {value}");
        }
    }

    #[test]
    fn the_name_of_the_program_may_hold_anything() {
        let text = "7 (a b) 9 (c) S 1 7 7 0 -1 4194560 111 0 0 0 250 50 0 0 20 0 3 0 123450 1 2";
        assert_eq!(parse_stat(text), Some(Stat { cpu: 3.0, started: 1234.5 }));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn an_unlimited_number_is_left_out() {
        assert_eq!(
            value_of("Max open files            unlimited   unlimited  files\n", "Max open files"),
            None
        );
        assert_eq!(value_of("btime 5\n", "btime"), Some(5));
        assert_eq!(value_of("btime 5\n", "ctime"), None);
    }
}
