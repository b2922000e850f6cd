//! How does an event look as one JSON object on one line?
//!
//! `{"ts":"…","level":"info","msg":"…",…}`: the event's fields under their names, those of enclosing spans after
//! them. A field called like one of the first three gets a `_` behind its name.

use std::error::Error;
use std::fmt::{self, Debug};
use std::io;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// What tracing calls the text of an event.
const MESSAGE: &str = "message";

/// Formats events; the clock is given so that tests can stop it.
pub(super) struct Json {
    clock: fn() -> Timestamp,
}

/// Formats the fields of spans and events as `,"key":value`.
pub(super) struct Fields;

/// Writes either the value of the message or all other fields, straight into the line: a busy agent writes a line
/// per request, so nothing is put together on the way.
struct Visitor<'a, 'w> {
    writer: &'a mut Writer<'w>,
    message: bool,
    result: fmt::Result,
}

/// A value as its `Debug` shows it.
struct Shown<'a>(&'a dyn Debug);

/// Takes serde_json's bytes, which are whole characters in each write.
struct Characters<'a, 'w>(&'a mut Writer<'w>);

// === impl Json ===

impl Json {
    pub(super) fn new(clock: fn() -> Timestamp) -> Self {
        Self { clock }
    }
}

impl<S, N> FormatEvent<S, N> for Json
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
        let level = level(*event.metadata().level());
        write!(writer, "{{\"ts\":\"{:.6}\",\"level\":\"{level}\",\"msg\":", (self.clock)())?;
        if event.metadata().fields().field(MESSAGE).is_some() {
            visit(&mut writer, event, true)?;
        } else {
            writer.write_str("\"\"")?;
        }
        ctx.format_fields(writer.by_ref(), event)?;
        for span in ctx.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
        }
        writeln!(writer, "}}")
    }
}

// === impl Fields ===

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        visit(&mut writer, fields, false)
    }
}

// === impl Visitor ===

fn visit<R: RecordFields>(writer: &mut Writer<'_>, fields: R, message: bool) -> fmt::Result {
    let mut visitor = Visitor { writer, message, result: Ok(()) };
    fields.record(&mut visitor);
    visitor.result
}

impl Visitor<'_, '_> {
    fn write(&mut self, field: &Field, value: &impl Serialize) {
        if self.result.is_ok() && self.message == (field.name() == MESSAGE) {
            self.result = self.try_write(field, value);
        }
    }

    fn try_write(&mut self, field: &Field, value: &impl Serialize) -> fmt::Result {
        if !self.message {
            let clash = if matches!(field.name(), "ts" | "level" | "msg") { "_" } else { "" };
            write!(self.writer, ",\"{}{clash}\":", field.name())?;
        }
        serde_json::to_writer(Characters(self.writer), value).map_err(|_| fmt::Error)
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, &value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &Shown(&format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &Shown(value));
    }
}

// === impl Shown, Characters ===

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl io::Write for Characters<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
