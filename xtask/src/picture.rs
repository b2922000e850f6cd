//! What does the dashboard look like with the figures of a Prometheus?
//!
//! For docs/how-to/watch.md: Grafana is not at hand everywhere. Panels, expressions and headings are those of the
//! dashboard; only the drawing is ours.

mod draw;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use podid_monitor::dashboard::{Panel, ROWS};
use serde::Deserialize;

use crate::workspace::Workspace;

/// Flags of the picture.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Address of the Prometheus, without a scheme
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090")]
    prometheus: String,
    /// End of the time that is shown [default: now]
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
    /// How many minutes are shown
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    minutes: u16,
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = "docs/how-to/dashboard.svg")]
    output: PathBuf,
}

/// What stands for Grafana's own variable: enough scrapes for a rate.
const RATE_INTERVAL: &str = "1m";

/// Points of a line.
const POINTS: u32 = 120;

/// A line of a panel.
struct Line {
    name: String,
    /// Seconds since the beginning, and the value.
    points: Vec<(f64, f64)>,
}

/// The time that is shown.
#[derive(Clone, Copy)]
struct Span {
    start: f64,
    seconds: f64,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// Draws the dashboard.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let end = options.end.unwrap_or_else(Timestamp::now).as_duration().as_secs_f64();
    let seconds = 60.0 * f64::from(options.minutes);
    let span = Span { start: end - seconds, seconds };
    let mut rows = Vec::new();
    for row in ROWS {
        let panels = row.panels.iter().map(|panel| Ok((panel, lines(options, panel, span)?)));
        rows.push((row, panels.collect::<anyhow::Result<Vec<_>>>()?));
    }
    let file = workspace.root.join(&options.output);
    fs::write(&file, draw::picture(&rows, span))
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}

fn lines(options: &Options, panel: &Panel, span: Span) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (expression, legend) in panel.queries {
        let expression = expression.replace("$__rate_interval", RATE_INTERVAL);
        for series in ask(&options.prometheus, &expression, span)? {
            let mut name = (*legend).to_owned();
            for (label, value) in &series.metric {
                name = name.replace(&format!("{{{{{label}}}}}"), value);
            }
            let values = series.values.iter().filter_map(|(at, value)| Some((*at, value.parse().ok()?)));
            let points = values.filter(|(_, value): &(f64, f64)| value.is_finite());
            lines.push(Line { name, points: points.map(|(at, value)| (at - span.start, value)).collect() });
        }
    }
    Ok(lines)
}

/// HTTP/1.0, so that the answer ends with the connection.
fn ask(prometheus: &str, expression: &str, span: Span) -> anyhow::Result<Vec<Series>> {
    let step = span.seconds / f64::from(POINTS);
    let (start, end) = (span.start, span.start + span.seconds);
    let path =
        format!("/api/v1/query_range?query={}&start={start}&end={end}&step={step}", encoded(expression));
    let unreachable =
        || format!("there is no Prometheus at {prometheus}; name its address with --prometheus");
    let mut connection = TcpStream::connect(prometheus).with_context(unreachable)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {prometheus}\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text).context("Prometheus did not answer")?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let answer: Answer =
        serde_json::from_str(body).with_context(|| format!("Prometheus says to {expression}: {body}"))?;
    Ok(answer.data.result)
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_an_address_is_encoded() {
        assert_eq!(
            encoded("sum(rate(a{b=\"c\"}[1m])) > 0"),
            "sum%28rate%28a%7Bb%3D%22c%22%7D%5B1m%5D%29%29%20%3E%200"
        );
    }
}
