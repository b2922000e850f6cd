//! Do log lines look as their readers expect, whatever the fields hold?

use std::io;
use std::sync::{Arc, Mutex};

use tracing::{debug, error, info, info_span, warn};

use super::*;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn noon() -> Timestamp {
    "2024-11-24T10:31:47.000042Z".parse().unwrap()
}

/// The log of `work` in one format, with the process id and the line numbers taken out.
fn log(format: Format, colour: bool, work: impl FnOnce()) -> String {
    let sink = Sink::default();
    let builder = tracing_subscriber::fmt().with_writer(sink.clone()).with_ansi(colour);
    match format {
        Format::Text => {
            let subscriber = builder.fmt_fields(klog::Fields).event_format(klog::Klog::new(noon)).finish();
            tracing::subscriber::with_default(subscriber, work);
        }
        Format::Json => {
            let subscriber = builder.fmt_fields(json::Fields).event_format(json::Json::new(noon)).finish();
            tracing::subscriber::with_default(subscriber, work);
        }
    }
    sink.text()
}

/// Lines behind klog's header, which is checked on the way.
fn behind_header(log: &str) -> Vec<(char, &str)> {
    log.lines()
        .map(|line| {
            let (header, rest) = line.split_once("] ").unwrap();
            let (severity, rest_of_header) = header.split_at(1);
            let place = rest_of_header.strip_prefix("1124 10:31:47.000042 ").unwrap();
            let (pid, place) = place.split_at(7);
            assert_eq!(pid, format!("{:7}", std::process::id()));
            assert!(place.starts_with(" tests.rs:"), "{place}");
            (severity.chars().next().unwrap(), rest)
        })
        .collect()
}

#[test]
fn text_is_a_klog_header_a_message_and_fields() {
    let log = log(Format::Text, false, || {
        info!(pod = "default/demo", status = 200, "token request");
        warn!(reason = "two words", empty = "", "slow");
        error!("broken");
    });
    assert_eq!(
        behind_header(&log),
        [
            ('I', "token request pod=default/demo status=200"),
            ('W', "slow reason=\"two words\" empty=\"\""),
            ('E', "broken"),
        ]
    );
}

#[test]
fn a_line_break_from_outside_does_not_make_a_line() {
    let text = log(Format::Text, false, || info!(path = "/a\nE1124 forged", "bad\npath \x1b[31m"));
    assert_eq!(behind_header(&text), [('I', "bad\\npath \\u{1b}[31m path=\"/a\\nE1124 forged\"")]);
    let json = log(Format::Json, false, || info!(path = "/a\n{}", "bad\npath"));
    assert_eq!(json.lines().count(), 1);
}

#[test]
fn fields_of_spans_follow_those_of_the_event() {
    let work = || {
        let _span = info_span!("request", peer = "10.0.0.7").entered();
        info!(status = 200, "done");
    };
    let text = log(Format::Text, false, work);
    assert_eq!(behind_header(&text), [('I', "done status=200 peer=10.0.0.7")]);
    let json: serde_json::Value = serde_json::from_str(&log(Format::Json, false, work)).unwrap();
    assert_eq!(json["peer"], "10.0.0.7");
}

#[test]
fn colour_only_where_it_was_asked_for() {
    assert!(log(Format::Text, true, || info!("hello")).starts_with("\x1b[32mI1124"));
    assert!(!log(Format::Text, false, || info!("hello")).contains('\x1b'));
}

#[test]
fn json_has_time_level_message_and_typed_fields_in_this_order() {
    let log = log(Format::Json, false, || {
        info!(pod = "default/demo", status = 200, held = true, share = 0.5, "token \"request\"");
    });
    assert_eq!(
        log,
        "{\"ts\":\"2024-11-24T10:31:47.000042Z\",\"level\":\"info\",\"msg\":\"token \\\"request\\\"\",\
         \"pod\":\"default/demo\",\"status\":200,\"held\":true,\"share\":0.5}\n"
    );
}

#[test]
fn json_holds_whatever_text_comes_from_outside() {
    let odd = "ünï \u{1f511} \"quoted\" \\ \u{7}";
    let log = log(Format::Json, false, || {
        info!(text = odd, shown = %odd, error = &io::Error::other(odd) as &dyn std::error::Error, absent = None::<u8>);
    });
    let json: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((&json["msg"], &json["text"]), (&"".into(), &odd.into()));
    assert_eq!((&json["shown"], &json["error"]), (&odd.into(), &odd.into()));
    assert_eq!(json.get("absent"), None);
}

#[test]
fn a_field_cannot_replace_time_level_or_message() {
    let log = log(Format::Json, false, || info!(level = "none", msg = "other", ts = 1, "real"));
    let json: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!((&json["level"], &json["msg"]), (&"info".into(), &"real".into()));
    assert_eq!((&json["level_"], &json["msg_"], &json["ts_"]), (&"none".into(), &"other".into(), &1.into()));
}

#[test]
fn verbosity_follows_klog_and_keeps_libraries_quiet() {
    assert_eq!(directives(0), directives(3));
    assert!(directives(4).contains("podid=debug") && directives(4).starts_with("warn"));
    assert!(directives(10).contains("podid=trace"));
    for verbosity in 0..=u8::MAX {
        assert!(EnvFilter::try_new(directives(verbosity)).is_ok());
    }
}

#[test]
fn debug_lines_need_no_severity_of_their_own() {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(sink.clone())
        .with_ansi(false)
        .fmt_fields(klog::Fields)
        .event_format(klog::Klog::new(noon))
        .finish();
    tracing::subscriber::with_default(subscriber, || debug!("detail"));
    assert_eq!(behind_header(&sink.text()), [('I', "detail")]);
}

#[test]
fn our_own_events_are_shown_and_those_of_libraries_only_when_something_is_wrong() {
    let sink = Sink::default();
    tracing::dispatcher::with_default(&to_writer(Format::Text, 0, sink.clone()), || {
        info!("own");
        debug!("own detail");
        info!(target: "hyper", "a library's");
        warn!(target: "hyper", "a library's trouble");
    });
    let log = sink.text();
    let told: Vec<_> = log.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    assert_eq!(told, ["own", "a library's trouble"]);
}
