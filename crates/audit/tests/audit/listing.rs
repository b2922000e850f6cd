//! What does a report say, in few words?

use podid_audit::{Reason, Report};

/// A line for each record whose rule is about such a target, and for what could not be looked at.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let about =
        |record: &&podid_audit::Record| record.reason != Reason::PreconditionFail || is_cluster(record);
    let records = report.records.iter().filter(about).map(|record| {
        let findings: Vec<_> = record.findings.iter().map(ToString::to_string).collect();
        let places: Vec<_> = record
            .subject
            .sources
            .iter()
            .map(|source| {
                format!("{}:{}", source.file.replace("tests/fixtures/", ""), source.line.unwrap_or(0))
            })
            .collect();
        format!(
            "{} {} {} {:?} at {} {}",
            record.outcome.as_str(),
            record.reason.as_str(),
            record.rule.name,
            record.subject.name,
            places.join(", "),
            findings.join(" | ")
        )
        .trim_end()
        .to_owned()
    });
    let unread = report.unread.iter().map(|unread| format!("not looked at: {}: {}", unread.what, unread.why));
    let notes = report.notes.iter().map(|note| format!("note: {note}"));
    records.chain(unread).chain(notes).map(|line| line.replace("tests/fixtures/", "")).collect()
}

fn is_cluster(record: &podid_audit::Record) -> bool {
    record.rule.asks(&record.subject.kind)
}
