//! How do people read a report?

use std::fmt::Write;

use anstyle::{AnsiColor, Color, Style};

use crate::record::{Outcome, Reason, Record};
use crate::report::Report;
use crate::rule::Level;
use crate::target::{Source, Subject};

/// Below the target of its record.
const INDENT: &str = "             ";

/// The report with the codes of colours; plain where they are stripped.
pub(crate) fn write(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = report_to(&mut text, report);
    text
}

fn report_to(to: &mut String, report: &Report) -> std::fmt::Result {
    let bold = Style::new().bold();
    if !report.records.is_empty() {
        writeln!(to, "{bold}{:<13}RULE, TARGET{bold:#}", "OUTCOME")?;
    }
    for record in &report.records {
        record_to(to, record)?;
    }
    if !report.unread.is_empty() {
        writeln!(to, "\n{bold}Not looked at{bold:#}")?;
        for unread in &report.unread {
            writeln!(to, "  {}: {}", unread.what, unread.why)?;
        }
    }
    if !report.notes.is_empty() {
        writeln!(to, "\n{bold}Notes{bold:#}")?;
        for note in &report.notes {
            writeln!(to, "  {note}")?;
        }
    }
    let gap = if to.is_empty() { "" } else { "\n" };
    writeln!(to, "{gap}{}", summary(report))
}

fn record_to(to: &mut String, record: &Record) -> std::fmt::Result {
    let Record { rule, subject, .. } = record;
    let (word, colour) = word(record);
    let style = Style::new().fg_color(Some(Color::Ansi(colour)));
    writeln!(to, "{style}{word:<13}{style:#}{} ({})", rule.name, rule.reference)?;
    writeln!(to, "{INDENT}{}{}", subject.name, place(subject))?;
    for finding in &record.findings {
        writeln!(to, "{INDENT}{finding}")?;
    }
    match (record.outcome, record.reason) {
        (_, Reason::Inconclusive) => writeln!(to, "{INDENT}The rule could not say either way.")?,
        (Outcome::Error, _) => writeln!(to, "{INDENT}{}", record.error.as_deref().unwrap_or_default())?,
        (Outcome::None, reason) => writeln!(to, "{INDENT}{}", reason.as_str())?,
        _ => {}
    }
    if record.outcome == Outcome::Fail {
        writeln!(to, "{INDENT}→ {}", rule.recommendation)?;
    }
    Ok(())
}

/// How an outcome is called: a failure by its level.
fn word(record: &Record) -> (&'static str, AnsiColor) {
    match (record.outcome, record.level) {
        (Outcome::Fail, Level::Error) => ("fails", AnsiColor::Red),
        (Outcome::Fail, Level::Warning) => ("warning", AnsiColor::Yellow),
        (Outcome::Fail, Level::Information) => ("information", AnsiColor::Cyan),
        (Outcome::Error, _) => ("error", AnsiColor::Magenta),
        (Outcome::Pass, _) => ("passes", AnsiColor::Green),
        (Outcome::None, _) => ("not asked", AnsiColor::White),
    }
}

fn place(subject: &Subject) -> String {
    match subject.sources.first() {
        None => String::new(),
        Some(Source { file, line: None, .. }) => format!(" in {file}"),
        Some(Source { file, line: Some(line), .. }) => format!(" in {file}:{line}"),
    }
}

/// The last line: how many of what, and what to do next.
fn summary(report: &Report) -> String {
    let targets = match report.targets {
        0 => "Nothing that a rule asks was found".to_owned(),
        1 => "1 target".to_owned(),
        many => format!("{many} targets"),
    };
    let mut counts = vec![
        format!("{} passed", report.count(Outcome::Pass)),
        format!("{} failed", report.count(Outcome::Fail)),
    ];
    for (count, what) in [(report.count(Outcome::Error), "in error"), (report.suppressed(), "suppressed")] {
        if count > 0 {
            counts.push(format!("{count} {what}"));
        }
    }
    let next = match (report.count(Outcome::Fail), report.is_complete()) {
        (1.., _) => " `podid audit explain RULE` says more.",
        (0, false) => " What could not be looked at is not known.",
        (0, true) => "",
    };
    format!("{targets}: {}.{next}", counts.join(", "))
}
