//! How does an event look as one JSON object on one line?
//!
//! `{"ts":"…","level":"info","msg":"…",…}`: the event's fields under their names, those of enclosing spans after
//! them. A field called like one of the first three gets a `_` behind its name.

use std::error::Error;
use std::fmt::{self, Debug};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

const MESSAGE: &str = "message";

/// Formats events; the clock is given so that tests can stop it.
pub(super) struct Json {
    clock: fn() -> Timestamp,
}

/// Formats the fields of spans and events as `,"key":value`.
pub(super) struct Fields;

struct Visitor<'a, 'w> {
    writer: &'a mut Writer<'w>,
    result: fmt::Result,
}

/// Picks the message out of an event's fields.
#[derive(Default)]
struct Message(String);

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
        let mut message = Message::default();
        event.record(&mut message);
        let level = level(*event.metadata().level());
        write!(writer, "{{\"ts\":\"{:.6}\",\"level\":\"{level}\",\"msg\":", (self.clock)())?;
        write_value(&mut writer, &message.0)?;
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
        let mut visitor = Visitor { writer: &mut writer, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

// === impl Visitor ===

impl Visitor<'_, '_> {
    fn write(&mut self, field: &Field, value: &impl Serialize) {
        if self.result.is_err() || field.name() == MESSAGE {
            return;
        }
        let clash = if matches!(field.name(), "ts" | "level" | "msg") { "_" } else { "" };
        self.result = write!(self.writer, ",\"{}{clash}\":", field.name());
        if self.result.is_ok() {
            self.result = write_value(self.writer, value);
        }
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
        self.write(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

// === impl Message ===

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0 = value.into();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}

fn write_value(writer: &mut Writer<'_>, value: &impl Serialize) -> fmt::Result {
    let text = serde_json::to_string(value).map_err(|_| fmt::Error)?;
    writer.write_str(&text)
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
