//! How is a report written for what shows test results?
//!
//! PSRule's format of this name: the results of NUnit 2.5. Its schema allows one suite at the top, so the
//! suites of the targets are in one that has the name of the tool; PSRule writes them beside each other.

use std::fmt::Write;

use jiff::Timestamp;

use crate::output::by_target;
use crate::record::{Outcome, Reason, Record};
use crate::report::Report;

/// The report as XML.
pub(crate) fn write(report: &Report, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = document(&mut text, report, now);
    text
}

fn document(to: &mut String, report: &Report, now: Timestamp) -> std::fmt::Result {
    let count = |outcome| report.records.iter().filter(|record| record.outcome == outcome).count();
    let (failed, errors) = (count(Outcome::Fail), count(Outcome::Error));
    let skipped = count(Outcome::None);
    let total = report.records.len() - skipped;
    writeln!(to, r#"<?xml version="1.0" encoding="utf-8" standalone="no"?>"#)?;
    writeln!(
        to,
        r#"<test-results xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="nunit_schema_2.5.xsd" name="podid" total="{total}" errors="{errors}" failures="{failed}" not-run="{skipped}" inconclusive="0" ignored="0" skipped="{skipped}" invalid="0" date="{}" time="{}">"#,
        now.strftime("%Y-%m-%d"),
        now.strftime("%H:%M:%S"),
    )?;
    // Nothing of the machine that the audit ran on is anybody's business.
    writeln!(
        to,
        r#"  <environment nunit-version="2.5.8.0" clr-version="0" os-version="0" platform="Linux" cwd="." machine-name="-" user="-" user-domain="-" />"#
    )?;
    writeln!(to, r#"  <culture-info current-culture="en-US" current-uiculture="en-US" />"#)?;
    suite(to, 1, "Project", "podid audit", &report.records.iter().collect::<Vec<_>>())?;
    writeln!(to, "    <results>")?;
    for records in by_target(report) {
        let name = &records[0].subject.name;
        suite(to, 3, "TestFixture", name, &records)?;
        writeln!(to, "        <results>")?;
        for record in records {
            case(to, record)?;
        }
        writeln!(to, "        </results>\n      </test-suite>")?;
    }
    writeln!(to, "    </results>\n  </test-suite>\n</test-results>")
}

fn suite(to: &mut String, depth: usize, kind: &str, name: &str, records: &[&Record]) -> std::fmt::Result {
    let failed = records.iter().filter(|record| record.outcome.is_problem()).count();
    let (word, success) = if failed == 0 { ("Success", "True") } else { ("Failure", "False") };
    let executed = if records.iter().any(|record| record.outcome.is_processed()) { "True" } else { "False" };
    let indent = "  ".repeat(depth);
    writeln!(
        to,
        r#"{indent}<test-suite type="{kind}" name="{}" executed="{executed}" result="{word}" success="{success}" time="0" asserts="{failed}" description="">"#,
        escaped(name),
    )
}

fn case(to: &mut String, record: &Record) -> std::fmt::Result {
    let (word, success) =
        if record.outcome.is_problem() { ("Failure", "False") } else { ("Success", "True") };
    let executed = if record.outcome.is_processed() { "True" } else { "False" };
    let name = format!("{} -- {}", record.subject.name, record.rule.name);
    write!(
        to,
        r#"          <test-case description="{}" name="{}" time="0" asserts="0" success="{success}" result="{word}" executed="{executed}""#,
        escaped(record.rule.synopsis),
        escaped(&name),
    )?;
    if record.outcome.is_problem() {
        writeln!(to, ">")?;
        let message = data(&message(record));
        writeln!(to, "            <failure>\n              <message>{message}</message>")?;
        writeln!(to, "              <stack-trace><![CDATA[]]></stack-trace>\n            </failure>")?;
        writeln!(to, "          </test-case>")
    } else if record.outcome == Outcome::None {
        let reason = data(record.reason.as_str());
        writeln!(
            to,
            ">\n            <reason>\n              <message>{reason}</message>\n            </reason>"
        )?;
        writeln!(to, "          </test-case>")
    } else {
        writeln!(to, " />")
    }
}

fn message(record: &Record) -> String {
    let mut text = format!("{}\n", record.rule.recommendation);
    let reasons: Vec<String> = match (&record.error, record.reason) {
        (Some(error), _) => vec![error.clone()],
        (None, Reason::Inconclusive) => vec!["The rule could not say either way.".to_owned()],
        (None, _) => record.findings.iter().map(ToString::to_string).collect(),
    };
    if !reasons.is_empty() {
        text.push_str("\nThe following reasons were reported:\n\n");
        text.extend(reasons.iter().map(|reason| format!("- {reason}\n")));
    }
    text
}

/// Text in which no character means anything; it ends nowhere but at its end.
fn data(text: &str) -> String {
    let allowed: String = text.chars().filter(|letter| is_allowed(*letter)).collect();
    format!("<![CDATA[{}]]>", allowed.replace("]]>", "]]]]><![CDATA[>"))
}

/// The value of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| is_allowed(*letter)) {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// XML has no way to say some control characters.
fn is_allowed(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r') || letter >= ' ' && !matches!(letter, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_or_a_reason_is_taken_for_xml() {
        assert_eq!(escaped("a<b & \"c\"\n\u{1}"), "a&lt;b &amp; &quot;c&quot;&#10;");
        assert_eq!(data("a]]>b\u{0}"), "<![CDATA[a]]]]><![CDATA[>b]]>");
    }
}
