//! How is a report written for a pull request or the summary of a job?

use std::fmt::Write;

use crate::output::by_target;
use crate::record::{Outcome, Record};
use crate::report::Report;

/// The report as Markdown: a list of rules for each target, as PSRule has it, with reasons.
pub(crate) fn write(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = document(&mut text, report);
    text
}

fn document(to: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(to, "# podid audit\n")?;
    writeln!(
        to,
        "{} passed, {} failed, {} in error.",
        report.count(Outcome::Pass),
        report.count(Outcome::Fail),
        report.count(Outcome::Error)
    )?;
    for records in by_target(report) {
        let subject = &records[0].subject;
        writeln!(to, "\n## {} : {}\n", escaped(&subject.name), escaped(&subject.kind))?;
        if let Some(source) = subject.sources.first() {
            let line = source.line.map(|line| format!(":{line}")).unwrap_or_default();
            writeln!(to, "In `{}{line}`\n", source.file.replace('`', "'"))?;
        }
        for record in records {
            item(to, record)?;
        }
    }
    if !report.unread.is_empty() {
        writeln!(to, "\n## Not looked at\n")?;
        for unread in &report.unread {
            writeln!(to, "- {}: {}", escaped(&unread.what), escaped(&unread.why))?;
        }
    }
    Ok(())
}

fn item(to: &mut String, record: &Record) -> std::fmt::Result {
    let mark = match record.outcome {
        Outcome::Pass => "[X]",
        Outcome::Fail | Outcome::Error => "[ ]",
        Outcome::None => {
            return writeln!(to, "- {} ({})", record.rule.name, record.reason.as_str());
        }
    };
    writeln!(to, "- {mark} [{}]({})", record.rule.name, record.rule.link)?;
    if record.outcome.is_problem() {
        for reason in record.findings.iter().map(ToString::to_string).chain(record.error.clone()) {
            writeln!(to, "  - {}", escaped(&reason))?;
        }
        writeln!(to, "\n  {}\n", record.rule.recommendation)?;
    }
    Ok(())
}

/// Text in which no character means anything.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
