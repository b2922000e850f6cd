//! How does an event look as a line of klog text?
//!
//! `I1124 10:31:47.123456       1 server.rs:10] message key=value key="with space"`: severity, month and day,
//! time in UTC, process id, place in the source, message, fields; the fields of enclosing spans follow.

use std::error::Error;
use std::fmt::{self, Debug};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events; the clock is given so that tests can stop it.
pub(super) struct Klog {
    clock: fn() -> Timestamp,
}

/// Formats the fields of spans and events as ` key=value`.
pub(super) struct Fields;

/// Writes either the message or everything else: klog wants the message first, whatever order the fields have.
struct Visitor<'a, 'w> {
    writer: &'a mut Writer<'w>,
    message: bool,
    result: fmt::Result,
}

// === impl Klog ===

impl Klog {
    pub(super) fn new(clock: fn() -> Timestamp) -> Self {
        Self { clock }
    }
}

impl<S, N> FormatEvent<S, N> for Klog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let (severity, colour) = severity(*meta.level());
        let now = (self.clock)().to_zoned(TimeZone::UTC);
        let file = meta.file().map_or("?", |path| path.rsplit('/').next().unwrap_or(path));
        let (on, off) = if writer.has_ansi_escapes() { (colour, "\x1b[0m") } else { ("", "") };
        write!(
            writer,
            "{on}{severity}{:02}{:02} {:02}:{:02}:{:02}.{:06} {:7} {file}:{}]{off} ",
            now.month(),
            now.day(),
            now.hour(),
            now.minute(),
            now.second(),
            now.subsec_nanosecond() / 1000,
            std::process::id(),
            meta.line().unwrap_or(0),
        )?;
        visit(&mut writer, event, true)?;
        visit(&mut writer, event, false)?;
        for span in ctx.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
        }
        writeln!(writer)
    }
}

// === impl Fields ===

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        visit(&mut writer, fields, false)
    }
}

// === impl Visitor ===

impl Visitor<'_, '_> {
    fn write(&mut self, field: &Field, value: &str) {
        let is_message = field.name() == "message";
        if self.result.is_err() || is_message != self.message {
            return;
        }
        self.result = if is_message {
            write_escaped(self.writer, value)
        } else if is_plain(value) {
            write!(self.writer, " {}={value}", field.name())
        } else {
            write!(self.writer, " {}={value:?}", field.name())
        };
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

fn visit<R: RecordFields>(writer: &mut Writer<'_>, fields: R, message: bool) -> fmt::Result {
    let mut visitor = Visitor { writer, message, result: Ok(()) };
    fields.record(&mut visitor);
    visitor.result
}

fn severity(level: Level) -> (char, &'static str) {
    match level {
        Level::ERROR => ('E', "\x1b[31m"),
        Level::WARN => ('W', "\x1b[33m"),
        Level::INFO => ('I', "\x1b[32m"),
        _ => ('I', "\x1b[2m"),
    }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"')
}

/// A message is one line, and no text from outside may look like another one.
fn write_escaped(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| {
        if c.is_control() { write!(writer, "{}", c.escape_default()) } else { writer.write_char(c) }
    })
}
