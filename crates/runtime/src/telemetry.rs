//! How does this process tell people and machines what it does?
//!
//! Log lines go to stderr, as klog text (what the predecessor's log readers parse) or as one JSON object a line.
//! `RUST_LOG` overrides the verbosity.

use std::io::{self, IsTerminal};

use jiff::Timestamp;
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

pub use batch::{Batch, Line, Lines, gather};
pub use reload::follow;

mod batch;
mod json;
mod klog;
mod reload;

#[cfg(test)]
mod tests;

/// The variable that overrides the verbosity, with tracing's directives (`debug`, `warn,podid_nmi=trace`, …).
const FILTER: &str = "RUST_LOG";

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// klog's header, then the message, then `key=value`; coloured on a terminal.
    #[default]
    Text,
    /// One object per line: `ts`, `level`, `msg`, then the event's fields.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` holds something that is not a filter.
    #[error(
        "{FILTER}={text:?} is not a log filter ({source}); write for example {FILTER}=debug, or unset it"
    )]
    Filter {
        /// What the variable holds.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The thread that writes lines out could not be started.
    #[error("cannot start a thread for the log: {0}")]
    Thread(#[from] io::Error),
    /// Logging was already set up in this process.
    #[error("logging is already set up in this process")]
    Twice,
}

/// Sets up logging for the whole process. Call it once, before the first event.
///
/// `verbosity` counts as klog's `-v`: 0 to 3 show what happens, 4 and 5 also why, from 6 on everything.
/// Lines are gathered: keep what is returned until the process ends.
pub fn init(format: Format, verbosity: u8) -> Result<Batch, TelemetryError> {
    let (filter, first) = match std::env::var(FILTER) {
        Ok(text) if !text.trim().is_empty() => {
            let filter = EnvFilter::try_new(&text)
                .map_err(|source| TelemetryError::Filter { text: text.clone(), source })?;
            (filter, text)
        }
        _ => (EnvFilter::new(directives(verbosity)), directives(verbosity).to_owned()),
    };
    let (batch, lines) = gather(io::stderr())?;
    let (dispatch, apply) = dispatch(format, filter, wants_colour(), lines);
    dispatch.try_init().map_err(|_| TelemetryError::Twice)?;
    reload::remember(apply, first);
    Ok(batch)
}

/// What [`init`] sets up, without colour and with lines going to `writer`: for benches and tests.
pub fn to_writer<W>(format: Format, verbosity: u8, writer: W) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    dispatch(format, EnvFilter::new(directives(verbosity)), false, writer).0
}

/// Where events go, and how another filter takes the place of this one.
fn dispatch<W>(format: Format, filter: EnvFilter, colour: bool, writer: W) -> (Dispatch, reload::Apply)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        Format::Text => {
            let builder = builder
                .with_ansi(colour)
                .fmt_fields(klog::Fields)
                .event_format(klog::Klog::new(Timestamp::now))
                .with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.into(), Box::new(move |filter| handle.reload(filter)))
        }
        Format::Json => {
            let builder = builder
                .with_ansi(false)
                .fmt_fields(json::Fields)
                .event_format(json::Json::new(Timestamp::now))
                .with_filter_reloading();
            let handle = builder.reload_handle();
            (builder.into(), Box::new(move |filter| handle.reload(filter)))
        }
    }
}

/// Our own crates speak at the chosen level; libraries only when something is wrong, or when everything is wanted.
fn directives(verbosity: u8) -> &'static str {
    match verbosity {
        0..=3 => "warn,podid=info",
        4..=5 => "warn,podid=debug",
        _ => "debug,podid=trace",
    }
}

fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
